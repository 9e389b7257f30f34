#!/bin/bash
# own_module.sh PLAIN COMMAND…: both print "step N loss L"; the losses must agree within 1e-5, and fall.
set -euo pipefail
plain=$1
shift
paste <("$plain") <("$@") | awk '
  NF != 8 || $2 != $6 { print "not two runs of the same steps: " $0; exit bad = 1 }
  { difference = ($4 - $8) / $4; if (difference < 0) difference = -difference
    if (difference > worst) worst = difference
    if (NR == 1) first = $8
    last = $8 }
  END { if (bad) exit 1
    printf "%d steps, loss %g to %g, largest difference %g\n", NR, first, last, worst
    exit !(NR == 20 && worst < 1e-5 && last < 0.7 * first) }'

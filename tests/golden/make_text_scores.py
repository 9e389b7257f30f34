"""Writes text_scores/rouge.json: pairs of texts and their rougeL F-measure by the rouge_score package, without stemming.

    pip install rouge-score==0.1.2 && python make_text_scores.py
"""
import json
import pathlib
import random

from rouge_score import rouge_scorer

OUT = pathlib.Path(__file__).parent / "text_scores"


def main():
    rng = random.Random(7)
    words = "the cat sat on a mat near 2 dogs It's The CAT, état naïve 3.14 U.S.A. don't end-to-end \u212aelvin \u0130stanbul 日本 ß".split()
    pairs = [("", ""), ("", "a"), ("a", ""), ("...", "!"), ("The green ladder was lost.", "the green ladder was lost"),
             ("the gunman kill police", "police killed the gunman"), ("a b c d e f g", "a c e g b d f"),
             ("x\ny\tz", "x y z"), ("don't", "don t"), ("\u0130a", "i a"), ("\u212a", "k"), ("a" * 50, "a " * 50)]
    for _ in range(60):
        pairs.append((" ".join(rng.choices(words, k=rng.randrange(25))), " ".join(rng.choices(words, k=rng.randrange(25)))))
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    OUT.mkdir(exist_ok=True)
    rows = [dict(prediction=p, reference=r, rouge_l=scorer.score(r, p)["rougeL"].fmeasure) for p, r in pairs]
    (OUT / "rouge.json").write_text(json.dumps(rows, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


main()

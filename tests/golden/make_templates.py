"""Writes templates/expected.json: chats rendered by transformers' own Jinja environment, and small constructs with what Jinja says of them.

    python make_templates.py            # needs transformers==5.23.0, jinja2==3.1.6

The templates are written for this purpose in the manner of those that are published with the families they are named for.
"""
import datetime
import json
import pathlib

import transformers.utils.chat_template_utils as chats

HERE = pathlib.Path(__file__).parent / "templates"


class Then(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 12, 0, 0)


chats.datetime = Then

TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Weather at a place: \"now\" & <later>", "parameters": {
        "type": "object", "required": ["place"], "properties": {
            "place": {"type": "string", "description": "Stadt, 都市"}, "days": {"type": "integer", "default": 1.0},
            "units": {"type": "array", "items": {"enum": ["C", "F"]}}, "when": {"type": ["string", "null"]}}}}},
    {"type": "function", "function": {"name": "clock now", "return": {"type": "string"}, "parameters": {"type": "object", "properties": {}}}},
]
SIMPLE = [{"role": "user", "content": "Hi!"}, {"role": "assistant", "content": "Hello, how are you?"}]
SYSTEM = [{"role": "system", "content": "  Be brief.\n"}, {"role": "user", "content": "  Wie geht's? 你好 👩‍👩‍👧 "},
          {"role": "assistant", "content": "\n Gut.\u00a0"}, {"role": "user", "content": "<b>\"quoted\"</b> & 'more'\n\n"}, {"role": "assistant", "content": ""}]
CALLS = [{"role": "user", "content": "Weather in Bonn?"},
         {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefghi", "type": "function",
                                                             "function": {"name": "weather", "arguments": {"place": "Bonn", "days": 2}}}]},
         {"role": "tool", "tool_call_id": "abcdefghi", "content": "{\"sky\": \"blue\"}"},
         {"role": "assistant", "content": "Blue."}]
THINKS = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>\nthat is two\n</think>\n\n2"}, {"role": "user", "content": "and 2+2?"},
          {"role": "assistant", "content": "<think>\nhmm\n</think>\n\n4"}]
REASONED = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "reasoning_content": "it is\n2", "content": "2"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": " look: "}, {"type": "image"}]}, {"role": "assistant", "content": "a cat"}]
OUT_OF_TURN = [{"role": "assistant", "content": "me first"}]

CONSTRUCTS = [
    "{{ 1 + 2 * 3 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 1.5e3 }} {{ 1e16 }} {{ 0.1 + 0.2 }}",
    "{{ 1_000 }} {{ 3.0 }} {{ 1e-5 }} {{ 123456789012345680.0 }} {{ true + 1 }} {{ 'a' * 3 }} {{ [1] * 2 }} {{ 5 * 'ab' }}",
    "{{ [1, 'a', none, true, 1.0, {'k': 'it\\'s', 'q': \"a\\\"b'c\"}, (1,), (), []] }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.5 }}{{ undefined_name }}{{ undefined_name ~ 'x' }}",
    "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:] }}{{ 'abc'[::-1] }}{{ 'äöü€😀'[1:4] }}{{ 'äöü'|length }}{{ [1,2,3,4,5][1:-1:2] }}{{ [1,2,3][::-1] }}{{ [1,2,3][5:] }}{{ [1,2,3][-9:2] }}{{ 'abcdef'[4:1:-1] }}",
    "{{ 'a-b-c'.split('-') }}{{ ' a  b '.split() }}{{ 'a-b-c'.split('-', 1) }}{{ 'a-b-c'.rsplit('-', 1) }}{{ 'a\\nb\\r\\nc'.splitlines() }}{{ ' a b c '.split(none, 1) }}{{ ''.split(',') }}{{ ''.split() }}",
    "[{{ '  x '.strip() }}][{{ 'xxaxx'.strip('x') }}][{{ 'xyaxy'.lstrip('yx') }}][{{ 'a\\n\\n'.rstrip('\\n') }}][{{ '\\u2003a\\u00a0'.strip() }}][{{ '..a..' | trim('.') }}][{{ 12 | trim }}]",
    "{{ 'Hello'.startswith('He') }}{{ 'Hello'.endswith(('lo', 'x')) }}{{ 'Hello'.replace('l', 'L') }}{{ 'Hello'.replace('l', 'L', 1) }}{{ 'abc'.replace('', '-') }}{{ 'Hello'.find('l') }}{{ 'Hello'.rfind('l') }}{{ 'Hello'.find('z') }}{{ 'banana'.count('an') }}",
    "{{ 'ab'.upper() }}{{ 'ÄB'.lower() }}{{ 'straße'|upper }}{{ 'hello world-wide foo_bar it\\'s'|title }}{{ 'hello wORLD it\\'s'.title() }}{{ 'hELLO'|capitalize }}{{ 'привет'|upper }}{{ 'ΑΒΓ'|lower }}{{ 'Ÿ'|lower }}",
    "{{ 'a,b'.split(',')|join('-') }}{{ [1,2,3]|join }}{{ ['a','b']|join(', ') }}{{ [{'n': 1},{'n': 2}]|join('+', attribute='n') }}{{ ', '.join(['x','y']) }}{{ 'abc'|join('.') }}",
    "{{ {'b': 1, 'a': [1, {'c': none}], 'ü': 'ä\\n\"\\u0001\\u007f'} | tojson }}{{ {'b': 1, 'a': 2.0} | tojson(indent=2, sort_keys=true) }}{{ [] | tojson(indent=2) }}{{ 'ü😀' | tojson(ensure_ascii=true) }}{{ [1,{'a':2}] | tojson(separators=(',', ':')) }}",
    "{{ [3,1,2]|sort }}{{ ['b','A','c']|sort }}{{ ['b','A','c']|sort(case_sensitive=true) }}{{ [3,1,2]|sort(reverse=true) }}{{ [{'a':2},{'a':1}]|sort(attribute='a') }}{{ {'b':1,'A':2}|dictsort }}{{ {'b':1,'a':2}|dictsort(by='value') }}{{ [1,2,1]|unique|list }}{{ [1,2,3]|reverse|list }}{{ 'abc'|reverse }}",
    "{{ [1,2,3]|first }}{{ [1,2,3]|last }}{{ []|first }}{{ [1,2,3]|sum }}{{ [1,5,3]|max }}{{ [4,2]|min }}{{ [{'a':1},{'a':4}]|sum(attribute='a') }}{{ 3.7|int }}{{ '12'|int }}{{ 'x'|int(5) }}{{ '1.5'|float }}{{ 2.567|round(1) }}{{ 2.5|round }}{{ -3|abs }}{{ 2.1|round(0,'ceil') }}",
    "{{ ['a','b']|map('upper')|list }}{{ [{'x':{'y':1}}]|map(attribute='x.y')|list }}{{ [0,1,2,3]|select('odd')|list }}{{ [0,1,'']|select|list }}{{ [0,1]|reject|list }}{{ [{'a':1},{'a':2},{}]|selectattr('a','equalto',2)|list }}{{ [{'a':1},{}]|selectattr('a','defined')|list }}{{ [{'a':1},{'a':0}]|rejectattr('a')|list }}{{ [{'a':1},{}]|map(attribute='a', default='-')|list }}",
    "{{ x|default('d') }}{{ ''|default('d', true) }}{{ none|default('n') }}{{ x.y|default('no') if x is defined else 'undefined x' }}{{ 'a' if false }}{{ ('a' if false) is defined }}",
    "{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ true is number }}{{ 'a' is string }}{{ [] is sequence }}{{ {} is mapping }}{{ 'a' is iterable }}{{ 1 is iterable }}{{ none is none }}{{ x is undefined }}{{ 4 is divisibleby 2 }}{{ 3 is odd }}{{ 4 is even }}{{ 'a' in 'abc' }}{{ 1 not in [2] }}{{ 'k' in {'k': 1} }}{{ 1 is eq 1 }}{{ 'A' is upper }}{{ 2 is in [1,2] }}{{ 1 is sameas true }}",
    "{{ dict(b=2, **{'a': 1}) }}{{ range(*[1, 4]) | list }}{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1], **{'b': 2}) }}",
    "{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 'a' < 'b' }}{{ [1,2] < [1,3] }}{{ 1 == 1.0 }}{{ 1 == '1' }}{{ (1,2) == [1,2] }}{{ {'a':1,'b':2} == {'b':2,'a':1} }}{{ none == false }}{{ not 1 == 2 }}{{ 0 or 'x' }}{{ '' and 'y' }}{{ 1 and 2 }}",
    "{% for x in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a','b') }}{{ loop.changed(x > 1) }};{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for x in [1,2,3,4] if x is even %}{{ x }}{{ loop.index }}{% endfor %}{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{% for c in 'äb' %}{{ c }}.{% endfor %}",
    "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}{{ range(3)|list }}{{ range(5, 0, -2)|list }}",
    "{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% set ns = namespace(n=0) %}{% for i in [1,2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{% if true %}{% set y = 5 %}{% endif %}{{ y }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, %}{{ t }}{% set text %}<{{ a }}>{% endset %}{{ text }}{% set up | upper | trim %} abc {% endset %}{{ up }}{% with q = 3, r = 4 %}{{ q + r }}{% endwith %}{{ q }}",
    "{% macro m(a, b='x', c=none) %}({{ a }}{{ b }}{{ c }}){% endmacro %}{{ m(1) }}{{ m(1, c=2) }}{{ m(a=3, b=4) }}{{ m() }}{% set z = 9 %}{% macro n() %}{{ z }}{{ m(z) }}{% endmacro %}{{ n() }}{{ m('<b>') | length }}",
    "{% macro count(n) %}{{ n }}{% if n > 0 %},{{ count(n - 1) }}{% endif %}{% endmacro %}{{ count(12) }}",
    "a  {%- if true -%}  b  {%- endif -%}  c\n  {% if true %}\n  d\n  {% endif %}\ne {{- ' f ' -}} g\n  {#- no -#}\n  h {# c #} i\n  {# alone #}\n j {%+ if true %} k {%+ endif +%}\n l",
    "  {% set a = 1 %}\n  {{ a }}\n\t{% for i in [1] %}\n  x\n  {% endfor %}\n\n",
    "{% raw %}{{ not }} {% this %}{% endraw %}{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ '{%' }}{% raw -%}   x {%- endraw %} y",
    "{{ 'a' 'b' \"c\" }}{{ '\\t|\\x41|\\u00e4|\\U0001F600|\\\\|\\'|\\q|\\101' }}",
    "{{ messages[0].role }}{{ messages[0]['content'] }}{{ messages[0].nothing }}{{ messages[-1].get('content', 'x') }}{{ messages[0].get('zzz', 'fallback') }}{{ messages[0].get('zzz') }}{{ messages|length }}{{ messages[5] is defined }}{{ messages[0].keys()|list }}{{ messages[0].values()|list }}{{ (messages|first).role }}{{ messages.0.role }}",
    "{{ dict(a=1, b='x') }}{{ dict({'z': 1}, y=2) }}{{ {'items': 3}['items'] }}{{ {'a': 1} | items | list }}{{ {'a': 1}.get('a') }}{{ 'x' if 'a' in {'a': none} else 'y' }}",
    "{{ 'line one\\nline two\\n\\nline four' | indent(2) }}|{{ 'a\\nb' | indent(1, true) }}|{{ 'a\\n\\nb' | indent('> ', blank=true) }}",
    "{{ strftime_now('%Y-%m-%d') }}{{ strftime_now('%d %b %Y') }}",
    "{{ 'abc' is defined and 'b' in 'abc' and not 'z' in 'abc' }}{{ (1, 2)|length }}{{ not x }}{{ x == y }}{{ [] == x }}{{ x is none }}{{ 'é' == 'é' }}{{ 'z' > 'ä' }}",
    "{{ 'x'.isdigit() }}{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'AB'.isupper() }}{{ 'ab'.islower() }}{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.py'.removesuffix('.py') }}",
    "{% for a in [1,2] %}{% for b in [3] %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{{ missing.member }}", "{{ none.member }}", "{{ none + 1 }}", "{{ 'a' + 1 }}", "{{ raise_exception('no!') }}", "{{ 1 / 0 }}", "{{ [1] < ['a'] }}", "{{ 5|length }}",
    "{% for a, b in [[1]] %}{% endfor %}", "{% if %}{% endif %}", "{% for x in %}{% endfor %}", "{{ 'a' | nosuch }}", "{{ 1 is nosuch }}", "{% nosuch %}", "{{ (1 }}", "{{ 'a }}",
    "{% if true %}", "{% endif %}", "{% for x in [1] %}{{ x }", "{# never closed", "{{ m(1) }}", "{{ [1,2].append(3) }}", "{{ range(200000) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{{ 'abc'.nosuch() }}", "{{ x() }}", "{% set messages.a = 1 %}", "{{ messages | tojson }}{{ x | tojson }}", "{% break %}",
]


def render(source, context):
    try:
        return {"text": chats._compile_jinja_template(source).render(**context)}
    except Exception:  # whatever it is, trireme must refuse it too
        return {"error": True}


def main():
    cases = []
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    for path in sorted(HERE.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for messages in (SIMPLE, SYSTEM, CALLS, THINKS, REASONED, PARTS, OUT_OF_TURN, SIMPLE + SIMPLE):
            for tools in (None, TOOLS):
                for prompt in (False, True):
                    context = {"messages": messages, "add_generation_prompt": prompt, **tokens, **({"tools": tools} if tools else {})}
                    cases.append({"template": path.name, "context": context, **render(source, context)})
    context = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}
    for source in CONSTRUCTS:
        cases.append({"source": source, "context": context, **render(source, context)})
    (HERE / "expected.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(len(cases), "cases,", sum("error" in case for case in cases), "refused")


if __name__ == "__main__":
    main()

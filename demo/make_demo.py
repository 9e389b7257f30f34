"""Writes what the demo trains on: stories.txt, instructions.jsonl, and the tokenizer and config.json of story-llama/.

    pip install tokenizers==0.23.3 && python make_demo.py

The stories come from the grammar below and are the project's own. The same call writes the same bytes.
"""
import json
import pathlib
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
END = "<|end|>"
STORIES, INSTRUCTIONS, VOCABULARY = 1500, 400, 768

ANIMALS = ["fox", "heron", "badger", "otter", "hare", "owl", "mouse", "goat", "turtle", "crow", "hedgehog", "bear"]
NAMES = ["Nila", "Tomas", "Ada", "Ruben", "Mira", "Pavel", "Ines", "Olaf", "Sana", "Emil", "Lotte", "Hugo"]
TEMPERS = ["small", "old", "brave", "shy", "clever", "lazy", "curious", "quiet"]
THINGS = ["lantern", "kite", "drum", "boat", "key", "map", "bell", "ladder", "basket", "rope", "whistle", "kettle"]
COLOURS = ["red", "blue", "green", "yellow", "silver", "brown"]
PLACES = ["harbour", "forest", "mill", "bridge", "meadow", "lighthouse", "market", "orchard", "river", "hill"]
TIMES = ["morning", "evening", "afternoon", "winter day", "summer night"]
TROUBLES = [
    ("the wind blew it into the water", "pulled it out of the water"),
    ("it fell behind a heavy stone", "rolled the stone away"),
    ("it hung high up in a tree", "climbed up and brought it down"),
    ("it was covered with snow", "dug until the snow was gone"),
    ("a thorn bush held it fast", "bent the thorns aside"),
    ("it was broken in two", "put the two halves together"),
]
THANKS = ["shared a loaf of bread", "sang a song together", "drank warm tea", "watched the stars", "told each other old jokes"]
MORALS = [
    "Since that day they have been friends.", "Two see more than one, said {name}.", "And nobody was sad that day.",
    "{name} never forgot it.", "From then on {name} always asked for help.",
]


def draw(rng, animal=None, thing=None, place=None):
    name, friend = rng.sample(NAMES, 2)
    first = animal or rng.choice(ANIMALS)
    return dict(
        name=name, friend=friend, animal=first, other=rng.choice([a for a in ANIMALS if a != first]), temper=rng.choice(TEMPERS),
        thing=thing or rng.choice(THINGS), colour=rng.choice(COLOURS), place=place or rng.choice(PLACES), time=rng.choice(TIMES),
        trouble=rng.choice(TROUBLES), thanks=rng.choice(THANKS), moral=rng.choice(MORALS), form=rng.randrange(3))


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def tell(f):
    trouble, help_ = f["trouble"]
    begin = [
        f"One {f['time']}, {article(f['temper'])} {f['animal']} named {f['name']} walked to the {f['place']}.",
        f"There was once {article(f['temper'])} {f['animal']} whose name was {f['name']}. One {f['time']} it went to the {f['place']}.",
        f"{f['name']} was {article(f['temper'])} {f['animal']} and lived near the {f['place']}.",
    ][f["form"]]
    return " ".join([
        f"The {f['animal']} and the {f['thing']}.",
        begin,
        f"{f['name']} had a {f['colour']} {f['thing']} and loved it very much.",
        f"But then {trouble}, and {f['name']} began to cry.",
        f"{article(f['other']).capitalize()} named {f['friend']} came by and asked: \"Why do you cry, {f['animal']}?\"",
        f"\"My {f['thing']} is lost,\" said {f['name']}.",
        f"{f['friend']} {help_} and gave the {f['colour']} {f['thing']} back.",
        f"Then {f['name']} and {f['friend']} {f['thanks']}.",
        f"So the {f['colour']} {f['thing']} was lost, and {f['friend']} the {f['other']} helped.",
        f["moral"].format(**f),
    ])


def instructions(rng):
    rows = []
    for i in range(INSTRUCTIONS):
        f = draw(rng)
        story = tell(f)
        if i % 3 < 2:
            asked = rng.choice([
                f"Tell a story about {article(f['animal'])} and {article(f['thing'])}.",
                f"Write about {article(f['animal'])} who loses {article(f['thing'])}.",
                f"I want to hear a story with {article(f['thing'])} and {article(f['animal'])} in it.",
            ])
            rows.append(dict(instruction=asked, input="", output=story))
        else:
            rows.append(dict(instruction=f"Tell a story that happens at the {f['place']}.", input="", output=story))
    return rows


def main():
    rng = random.Random(20)
    stories = [tell(draw(rng)) for _ in range(STORIES)]
    (HERE / "stories.txt").write_text("\n\n".join(stories) + "\n")
    rows = instructions(rng)
    (HERE / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    asked = [row["instruction"] for row in rows] + ["### Instruction:\n", "### Response:\n"] * 40
    tokenizer.train_from_iterator(stories + asked, trainer)
    folder = HERE / "story-llama"
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END}) + "\n")
    config = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", hidden_size=128, intermediate_size=384,
        num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=32, max_position_embeddings=512,
        rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True, vocab_size=tokenizer.get_vocab_size(),
        initializer_range=0.08, eos_token_id=tokenizer.token_to_id(END), bos_token_id=None, torch_dtype="float32")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    tokens = sum(len(e.ids) for e in tokenizer.encode_batch(stories))
    print(f"{len(stories)} stories of {tokens} tokens, {len(rows)} instructions")


main()

"""schema.py FILE#PLACE: checks JSON on standard input, a document or one a line, against a schema of docs/. Says what does not fit."""
import json
import sys

import jsonschema
import yaml

path, _, place = sys.argv[1].partition("#")
folder, _, name = path.rpartition("/")
PAGES = ("openapi.yaml", "cli.schema.yaml")


# The pages as parts of one schema, in which they can refer to each other.
def placed(node, page):
    if isinstance(node, list):
        return [placed(item, page) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: placed(value, page) for key, value in node.items()}
    if isinstance(out.get("$ref"), str):
        file, _, pointer = out["$ref"].partition("#")
        out["$ref"] = f"#/{file or page}{pointer}"
    return out


schema = {"$ref": f"#/{name}{place}"}
for page in PAGES:
    with open(f"{folder}/{page}", encoding="utf-8") as text:
        schema[page] = placed(yaml.safe_load(text), page)
validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())

text = sys.stdin.read()
try:
    documents = [json.loads(text)]
except json.JSONDecodeError:
    documents = [json.loads(line) for line in text.splitlines()]
wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for document in documents for error in validator.iter_errors(document)]
print("\n".join(wrong) if wrong else f"{len(documents)} valid")
sys.exit(1 if wrong or not documents else 0)

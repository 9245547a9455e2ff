"""har.py MODULES: checks a HAR document on standard input against the schemas of npm's har-schema in that node_modules."""
import glob
import json
import sys

import jsonschema

schemas = {}
for path in glob.glob(f"{sys.argv[1]}/har-schema/lib/*.json"):
    with open(path, encoding="utf-8") as text:
        schema = json.load(text)
    schemas[schema["$id"].rstrip("#")] = schema
har = schemas["har.json"]
resolver = jsonschema.RefResolver("har.json", har, store={**schemas, **{f"{name}#": schema for name, schema in schemas.items()}})
validator = jsonschema.Draft6Validator(har, resolver=resolver, format_checker=jsonschema.FormatChecker())
document = json.load(sys.stdin)
wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(document)]
print("\n".join(wrong) if wrong else f"{len(document['log']['entries'])} entries")
sys.exit(1 if wrong else 0)

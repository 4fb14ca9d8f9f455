"""Holds JSON documents against a JSON Schema: validate_report.py SCHEMA FILE…; says what is wrong and where."""

import json
import sys

import jsonschema

VALIDATOR = getattr(jsonschema, "Draft202012Validator", jsonschema.Draft7Validator)


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key is given twice in {keys}")
    return dict(pairs)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        validator = VALIDATOR(json.load(file))
    wrong = 0
    for path in sys.argv[2:]:
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file, object_pairs_hook=unique_keys, parse_constant=refuse_constant)
        except ValueError as error:
            wrong += 1
            print(f"{path}: {error}")
            continue
        for error in validator.iter_errors(document):
            wrong += 1
            place = "/".join(map(str, error.absolute_path))
            print(f"{path}: {place or 'the document'}: {error.message}")
    return 1 if wrong else 0


sys.exit(main())

"""What was made quicker in the local cloud's DynamoDB answers exactly as before."""

from __future__ import annotations

import subprocess
import sys

# The emulator is imported in a process of its own: it reads the environment while it is imported.
COMPARE = """
from ministack.services import dynamodb

size, number, parse, check = (
    dynamodb._attribute_value_size, dynamodb._number_size_bytes, dynamodb._tokenize, dynamodb._condition_syntax_error)
values = [
    {"S": ""}, {"S": "espresso"}, {"S": "Café ☕"}, {"N": "0"}, {"N": "-12.50"}, {"N": "1e10"}, {"N": 5},
    {"BOOL": True},
    {"NULL": True}, {"B": "aGVsbG8="}, {"B": b"hello"},
    {"SS": ["a", "é"]}, {"NS": ["1", "-2"]}, {"BS": ["aGVsbG8="]},
    {"L": []}, {"L": [{"S": "a"}, {"N": "12"}, "stray"]}, {"M": {}},
    {"M": {"größe": {"L": [{"M": {"a": {"S": "b"}}}]}}},
    {}, {"S": "a", "N": "1"}, "stray", {"S": 5},
]
expressions = [
    "pk = :a", "#k = :m AND begins_with(sk, :b)", "a BETWEEN :x AND :y", "(a = :b", "a = = :b", "NOT a IN (:b, :c)",
]
names = {"#k": "pk", "#s": "sk", "#size": "size"}
texts = {":a": {"S": "day"}, ":b": {"S": "ord"}, ":m": {"S": "day"}, ":n": {"N": "5"}, ":empty": {"S": ""}}
keys = [
    "pk = :a", "#k = :m AND begins_with(sk, :b)", "#k=:m AND begins_with ( #s , :b )", "pk = :a AND sk = :b",
    "pk = :a AND sk > :b", "pk = :a AND sk BETWEEN :a AND :b", "pk = :a and begins_with(sk, :b)", "pk = :n",
    "pk = :a AND size = :b", "pk = :a AND #size = :b", "pk = :unknown", "#unknown = :a", "((pk = :a))", "pk = = :a",
    "(#k = :m AND begins_with(#s, :b))", "(pk = :a)", "(pk = :a) AND (sk = :b)",
    "begins_with(pk, :empty)", "begins_with(sk, :n)", "pk = :a AND", "",
]
items = [
    {"pk": {"S": "day"}, "sk": {"S": "order-1"}}, {"pk": {"S": "day"}, "sk": {"S": "ord"}, "size": {"S": "ord"}},
    {"pk": {"S": "day"}, "sk": {"S": "or"}}, {"pk": {"N": "5"}, "sk": {"N": "12"}}, {"pk": {"S": "dax"}}, {},
    {"pk": {"B": "ZGF5"}, "sk": {"S": "Ordé"}},
]


def held(slot):
    answers = []
    for key in keys:
        for item in items:
            try:
                answers.append((key, dynamodb._evaluate_condition(key, item, texts, names, slot=slot)))
            except ValueError as error:
                answers.append((key, str(error)))
    return answers


slots = ("KeyConditionExpression", "FilterExpression")
held_before = [held(slot) for slot in slots]
before = [
    [size(v) for v in values],
    [parse(e) for e in expressions],
    [check(e, "KeyConditionExpression") for e in expressions],
]

from brewhaven.local.resources import dynamodb_speed

dynamodb_speed.expressions_are_parsed_once()
dynamodb_speed.sizes_are_counted_quickly()
dynamodb_speed.key_conditions_are_held_against_items_quickly()
assert [held(slot) for slot in slots] == held_before
assert dynamodb_speed.clauses_of(keys[1]) and not dynamodb_speed.clauses_of(keys[4])
assert dynamodb_speed.clauses_of("(#n0 = :v0 AND begins_with(#n1, :v1))")
assert dynamodb._attribute_value_size is not size and dynamodb._tokenize is not parse
for _ in range(2):
    after = [
        [dynamodb._attribute_value_size(v) for v in values],
        [dynamodb._tokenize(e) for e in expressions],
        [dynamodb._condition_syntax_error(e, "KeyConditionExpression") for e in expressions],
    ]
    assert after == before, (before, after)
    for tokens in after[1]:
        tokens.clear()  # a caller may do what it likes with its own list
print("same")
"""


def test_sizes_and_conditions_are_what_they_were() -> None:
    done = subprocess.run([sys.executable, "-c", COMPARE], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "same", done.stderr

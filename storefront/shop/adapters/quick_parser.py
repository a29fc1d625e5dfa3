"""A DynamoDB client whose answers are not converted twice.

botocore walks each answer value by value with the service's model beside it, to turn dates and bytes into Python's own.
The shop's items hold neither, and `shop.adapters.table` walks them anyway.  Skipping botocore's walk makes reading the
menu about three times cheaper, which `tests/unit/shop/test_adapters.py` measures.

Should a new botocore call its parser's step differently, nothing breaks: the answers are only slower again, and the
test says so.
"""

import json
from typing import Any

import botocore.session
from botocore.parsers import JSONParser, ResponseParser, ResponseParserFactory


class _QuickParser(JSONParser):
    """Takes an answer as the JSON that it is."""

    def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
        return json.loads(raw_body) if raw_body else {}


class _QuickParsers(ResponseParserFactory):
    """Gives the quick parser for the protocol that DynamoDB speaks."""

    def create_parser(self, protocol_name: str) -> ResponseParser:
        return _QuickParser() if protocol_name == "json" else super().create_parser(protocol_name)


def session() -> botocore.session.Session:
    """A session for the DynamoDB client alone, e.g. `boto3.Session(botocore_session=session())`."""
    made = botocore.session.get_session()
    made.register_component("response_parser_factory", _QuickParsers())
    return made

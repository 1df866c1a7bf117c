"""What may be said in a rule and what not, and how it reads."""

from __future__ import annotations

from typing import Any

import pytest

from madang.kernel.errors import BadRequestError, TooLargeError
from madang.response.rules.checks import Finding, Known, check
from madang.response.rules.examples import EXAMPLES
from madang.response.rules.forms import vocabulary
from madang.response.rules.sentences import sentence_en, sentence_ko
from madang.response.rules.vocabulary import Rule, read_rule, rule_schema, write_rule
from tests.response.rules.playing import BELL, LEVEL, rule_json

Json = dict[str, Any]  # Any: JSON values


def _codes(found: list[Finding]) -> set[str]:
    return {one.code for one in found if one.level == "fault"}


def _checked(when: Json, known: Known | None = None, others: dict[str, Rule] | None = None, **more: Any) -> set[str]:
    return _codes(check("mine", read_rule(rule_json(when, **more)), others or {}, known or Known()))


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        ({"when": {"op": "matches", "source": LEVEL, "pattern": "(a+)+$"}}, "when.op"),
        ({"when": {"op": "count", "source": BELL, "n": 3, "window_s": 10**9}}, "when.window_s"),
        ({"when": {"op": "count", "source": BELL, "n": 10**6, "window_s": 60}}, "when.n"),
        ({"when": {"op": "threshold", "source": LEVEL, "limit": 1, "eval": "import os"}}, "when"),
        ({"when": {"op": "threshold", "source": LEVEL, "limit": 1e300}}, "when.limit"),
        ({"when": {"op": "threshold", "source": {**LEVEL, "type": "a<script>"}, "limit": 1}}, "when.source.type"),
        ({"when": {"op": "happens", "source": BELL}, "title_ko": ""}, "title_ko"),
        ({"when": {"op": "happens", "source": BELL}, "conditions": [{"on": "time", "start": "25:00"}]}, "conditions"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_refused_where_it_stands(definition: Json, where: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_rule({**rule_json(definition["when"]), **definition})
    assert caught.value.where.startswith(f"definition.{where}")
    assert caught.value.ko


def test_a_rule_larger_or_deeper_than_any_form_makes_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLargeError):
        read_rule(rule_json({"op": "happens", "source": BELL}, note="x" * 40_000))
    with pytest.raises(BadRequestError):
        read_rule(b'{"when":' * 60 + b"1" + b"}" * 60)


def test_a_rule_written_and_read_again_is_the_same() -> None:
    rule = read_rule(rule_json({"op": "sequence", "first": BELL, "then": LEVEL, "within_s": 60}))
    assert read_rule(write_rule(rule)) == rule


def test_the_published_schema_accepts_what_we_read_and_names_every_operator() -> None:
    schema = rule_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    operators = {one["op"] for one in vocabulary()["operators"]}
    assert operators == {
        "happens", "threshold", "count", "sequence", "absence", "rate", "flap", "area", "near", "quorum", "schedule",
    }  # fmt: skip
    assert set(schema["$defs"]) >= {"Rule", "Threshold", "Schedule", "Message"}


def test_every_form_field_has_words_in_korean() -> None:
    forms = vocabulary()
    for group in ("operators", "conditions", "effects", "sources"):
        for form in forms[group]:
            assert all(field["ko"] != field["name"] for field in form["fields"]), form


def test_a_rule_reads_as_a_korean_and_an_english_sentence_whose_parts_point_at_their_members() -> None:
    rule = read_rule(
        rule_json(
            {"op": "threshold", "source": LEVEL, "limit": 2.5, "dwell_s": 90},
            conditions=[
                {"on": "time", "start": "22:00", "end": "06:00"},
                {"on": "near", "radius_m": 300, "negate": True},
            ],
            effects=[{"do": "show", "cameras": 4}, {"do": "start_sop", "code": "SOP-12"}],
        )
    )
    assert sentence_ko(rule).text == (
        "22:00–06:00에, 300m 안에 진행 중인 사건이 없을 때, "
        "WaterLevel의 level이(가) 2.5 이상인 상태가 1분 30초 동안 계속되면,"
        " 침수(P2) 신호를 내고, 카메라 4대를 보이고, SOP SOP-12를 시작합니다."
    )
    assert sentence_en(rule).text.startswith("When level of WaterLevel stands at 2.5 or above for 1 min 30 s and ")
    paths = {part.path for part in sentence_ko(rule).parts}
    assert {"/when/limit", "/when/dwell_s", "/conditions/1", "/effects/0"} <= paths


def test_a_rule_that_sets_itself_off_is_found_directly_and_through_others() -> None:
    heard = {"from": "signal", "classes": ["flood"], "sources": ["rule"]}
    assert _checked({"op": "happens", "source": heard}) == {"loop"}
    chain = {
        "b": read_rule({**rule_json({"op": "happens", "source": heard}), "signal": {"class_code": "smoke"}}),
        "c": read_rule(
            {
                **rule_json({"op": "happens", "source": {**heard, "classes": ["smoke"]}}),
                "signal": {"class_code": "gas"},
            }
        ),
    }
    gas = {"op": "happens", "source": {**heard, "classes": ["gas"]}}
    assert _checked(gas, others=chain) == {"loop"}
    assert _checked(gas, others={"b": chain["b"]}) == set()


def test_listening_to_mirrored_incidents_is_a_loop_too() -> None:
    incidents = {"from": "reading", "type": "Incident", "attribute": "state"}
    assert _checked({"op": "flap", "source": incidents, "changes": 3, "window_s": 60}) == {"loop"}


@pytest.mark.parametrize(
    ("when", "more", "code"),
    [
        ({"op": "threshold", "source": LEVEL, "limit": 1, "reset": 2}, {}, "reset_beyond_limit"),
        ({"op": "absence", "source": LEVEL, "for_s": 20}, {}, "shorter_than_lateness"),
        (
            {"op": "quorum", "source": BELL, "k": 3, "window_s": 60, "devices": ["a", "b"]},
            {"per": "all"},
            "quorum_too_large",
        ),
        ({"op": "quorum", "source": BELL, "k": 3, "window_s": 60}, {}, "quorum_per_device"),
        ({"op": "count", "source": BELL, "n": 500, "window_s": 1}, {}, "window_too_short"),
        ({"op": "happens", "source": {**BELL, "classes": ["nonsense"]}}, {}, "unknown_class"),
        ({"op": "happens", "source": BELL}, {"signal": None, "effects": [{"do": "show"}]}, "effects_without_signal"),
        (
            {
                "op": "area",
                "source": {"from": "reading", "type": "Person", "attribute": "location"},
                "area": {"shape": "polygon", "ring": [[128.1, 35.1], [128.2, 35.2], [128.2, 35.1], [128.1, 35.3]]},
            },
            {},
            "crossing_area",
        ),
    ],
)
def test_settings_that_can_never_be_meant_are_found(when: Json, more: Json, code: str) -> None:
    assert code in _checked(when, **more)


def test_types_and_attributes_the_hub_never_saw_are_found() -> None:
    known = Known(attributes={"WaterLevel": frozenset({"level"})})
    assert _checked({"op": "threshold", "source": LEVEL, "limit": 1}, known) == set()
    assert _checked({"op": "threshold", "source": {**LEVEL, "attribute": "depth"}, "limit": 1}, known) == {
        "unknown_attribute"
    }
    assert _checked({"op": "threshold", "source": {**LEVEL, "type": "Tide"}, "limit": 1}, known) == {"unknown_type"}


@pytest.mark.parametrize(("name", "definition"), EXAMPLES)
def test_the_examples_to_begin_from_have_no_faults(name: str, definition: Json) -> None:
    rule = read_rule(definition)
    assert _codes(check(name, rule, {}, Known())) == set()
    assert sentence_ko(rule).text.endswith("니다.")

"""The ready types: one word for a list, files beside the file, words of a closed list, bounds; and their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from triggerdev_alerts.documents.mistakes import Place, Unfit
from triggerdev_alerts.documents.model import (
    WRITTEN,
    Count,
    Duration,
    FileName,
    Globs,
    Model,
    OneOf,
    between,
    keys_of,
    written_in,
)
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.documents.wording import Wording


class Lamp(Model):
    spoken = "a lamp"

    colour: Annotated[str, OneOf("a colour", ("red", "green"))] = Field(examples=["red"])
    after: Annotated[Duration, between(1_000, 60_000, format_duration)] = Field(1_000, alias="for")
    rooms: Globs = ()
    watts: Annotated[Count, between(1, 60, str)] = 5
    manual: FileName | None = None


class House(Model):
    lamps: dict[str, Lamp] = Field(default_factory=dict)
    spare: tuple[Lamp, ...] = ()


def told(data: object) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        House.model_validate(data, context=WRITTEN)
    wording = Wording(House, "a house")
    errors = raised.value.errors(include_url=False)
    found = wording.mistakes(errors, lambda path, key: Place(".".join(map(str, path)) + ("!" if key else "")))
    return [f"{mistake.place.name if mistake.place else ''}: {mistake.text}" for mistake in found]


def lamp(**more: Any) -> Lamp:
    return Lamp.model_validate({"colour": "red", **more}, context=written_in(Path("/etc/house")))


def test_values_are_read_as_they_are_written() -> None:
    read = lamp(**{"for": "5s"}, rooms="hall*", manual="lamp.txt")
    assert (read.after, read.rooms, read.manual) == (5_000, ("hall*",), "/etc/house/lamp.txt")
    assert lamp(manual="/srv/lamp.txt").manual == "/srv/lamp.txt"
    assert Lamp.model_validate({"colour": "red", "manual": "lamp.txt"}).manual == "lamp.txt"


def test_what_is_dumped_can_be_read_again() -> None:
    read = lamp(**{"for": "5s"}, rooms=("a", "b"))
    dumped = read.model_dump(mode="json", by_alias=True)
    assert dumped["for"] == "5s"
    assert Lamp.model_validate({**dumped, "rooms": tuple(dumped["rooms"])}, context=WRITTEN) == read


def test_keys_are_known_by_what_a_person_writes() -> None:
    assert list(keys_of(Lamp)) == ["colour", "for", "rooms", "watts", "manual"]
    assert told({"lamps": {"x": {"colour": "red", "after": "5s"}}})[0].startswith(
        'lamps.x.after!: unknown key "after" in a lamp'
    )


def test_mistakes_are_sentences_with_their_place() -> None:
    assert told(
        {
            "lamps": {"x": {"colour": "gren", "for": "2m", "watts": 0, "rooms": ("", "a")}, "y": {"color": "red"}},
            "spare": ({}, {"colour": None, "manual": ""}),
        }
    ) == [
        'lamps.x.colour: "gren" is not a colour; one of red, green – did you mean "green"?',
        "lamps.x.for: 2m is out of range; between 1s and 1m is possible",
        'lamps.x.rooms.0: "" is not a pattern of names; use up to 256 visible characters, * and ?',
        "lamps.x.watts: 0 is out of range; between 1 and 60 is possible",
        'lamps.y.color!: unknown key "color" in a lamp; did you mean "colour"?',
        'spare.0.colour: "colour" is required in a lamp; write it like colour: red',
        'spare.1.colour: "colour" is required in a lamp; write it like colour: red',
        'spare.1.manual: "" is not the name of a file',
    ]


def test_a_mistake_of_a_whole_mapping_can_blame_one_key() -> None:
    assert Unfit("order", "x", at="watts").at == "watts"


def test_schemas_say_what_is_written() -> None:
    properties = Lamp.model_json_schema(by_alias=True)["properties"]
    assert properties["colour"]["enum"] == ["red", "green"]
    assert properties["for"]["type"] == "string"
    assert (properties["watts"]["minimum"], properties["watts"]["maximum"]) == (1, 60)
    assert [one["type"] for one in properties["rooms"]["anyOf"]] == ["string", "array"]

"""Recipes of images, read as what they are: stages of instructions."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "manifests" / "images"
Instruction = tuple[str, str]


@dataclass(frozen=True)
class Stage:
    """A stage: its name (of the last one, ""), what it is made from, and its instructions, without FROM."""

    name: str
    origin: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[str]:
        """The arguments of every instruction of a kind."""
        return [told for instruction, told in self.instructions if instruction == word]

    def only(self, word: str) -> str:
        (told,) = self.all(word)
        return told


@dataclass(frozen=True)
class Recipe:
    arguments: tuple[str, ...]
    stages: tuple[Stage, ...]

    def __getitem__(self, name: str) -> Stage:
        (stage,) = [stage for stage in self.stages if stage.name == name]
        return stage

    def kept(self) -> list[Stage]:
        """The stages whose layers are the image's, the last one first."""
        stages, found = {stage.name: stage for stage in self.stages}, [self.stages[-1]]
        while found[-1].origin in stages:
            found.append(stages[found[-1].origin])
        return found

    def command(self) -> list[str]:
        words: list[str] = json.loads(self.kept()[0].only("CMD"))
        return words

    def variables(self) -> dict[str, str]:
        words = [
            word for stage in reversed(self.kept()) for told in stage.all("ENV") for word in told.split()
        ]
        return dict(word.split("=", 1) for word in words)


def recipe(name: str) -> Recipe:
    """What a Containerfile says, comments left out and lines that go on joined."""
    text = re.sub(r"^#.*\n", "", (RECIPES / f"{name}.Containerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]
    instructions = [(word, told) for word, _, told in (line.partition(" ") for line in lines)]
    starts = [number for number, (word, _) in enumerate(instructions) if word == "FROM"]
    arguments = tuple(told for _, told in instructions[: starts[0]])
    stages = []
    for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True):
        origin, _, name = instructions[start][1].partition(" AS ")
        stages.append(Stage(name, origin, tuple(instructions[start + 1 : end])))
    return Recipe(arguments, tuple(stages))

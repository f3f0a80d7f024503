"""What a collection of the code store is to be, in dictionaries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.codestore import Edit, Item


@dataclass
class Entry:
    """An item of the catalogue.

    Attributes:
        shared: a data set has it too, though the API has written it.
        moved: when its picture was set last, by the model's clock.
    """

    item: Item
    origin: str
    shared: bool
    moved: int


@dataclass
class Member:
    """An item in a generation.

    Attributes:
        code: None where it lacks.
        own: what its data version says, where that is not what the catalogue says.
        pictured: its data version has a picture of it.
    """

    labels: tuple[int, ...]
    code: bytes | None = None
    own: Item | None = None
    pictured: bool = False


@dataclass
class Generation:
    """Attributes:
    missing: when writes of the API ceased to reach it; None while they do.
    """

    bits: int
    state: str = "building"
    members: dict[str, Member] = field(default_factory=dict)
    missing: int | None = None


def picture_of(item: Item) -> tuple[str, str]:
    """What decides on a code."""
    return item.uri, item.picture


def _record(item: Item) -> Item:
    """An item as a generation has a record of it: without labels."""
    return replace(item, labels=())


@dataclass
class Model:
    """A collection. Its methods do what those of the store do, and answer the same words."""

    items: dict[str, Entry] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    generations: dict[str, Generation] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    leased: set[tuple[str, str]] = field(default_factory=set)
    clock: int = 0

    # -- items -----------------------------------------------------------------------------------------

    def upsert(self, items: Sequence[Item], codes: Mapping[str, Sequence[bytes]]) -> list[str]:
        self.clock += 1
        return [
            self._put(item, {name: own[i] for name, own in codes.items()}) for i, item in enumerate(items)
        ]

    def _put(self, item: Item, codes: Mapping[str, bytes]) -> str:
        entry, reached = self.items.get(item.id), self._reached()
        moved = entry is None or picture_of(entry.item) != picture_of(item)
        for generation in reached.values():
            member = generation.members.get(item.id)
            moved = moved or bool(member and member.own and picture_of(member.own) != picture_of(item))
        for name, generation in reached.items():
            member = generation.members.get(item.id)
            code = codes.get(name)
            if code is None and member and picture_of(self.seen(name, item.id)) == picture_of(item):
                code = member.code
            generation.members[item.id] = Member(item.labels, code, pictured=bool(member and member.pictured))
        shared = item.id in self.buried or (entry is not None and (entry.shared or entry.origin == "data"))
        self.buried.discard(item.id)
        self.items[item.id] = Entry(item, "api", shared, self.clock if moved or not entry else entry.moved)
        return "replaced" if entry else "added"

    def edit(self, name: str, edits: Sequence[Edit]) -> list[str]:
        """Each as if it were read as a generation has it, and put again."""
        self.clock += 1
        words = []
        for edit in edits:
            item = self.item(edit.id, name)
            if item:
                labels = item.labels if edit.labels is None else edit.labels
                tags = item.tags if edit.tags is None else edit.tags
                self._put(replace(item, labels=labels, tags=tags), {})
            words.append("replaced" if item else "absent")
        return words

    def delete(self, ids: Iterable[str]) -> list[str]:
        words = []
        for item_id in ids:
            entry = self.items.pop(item_id, None)
            if entry and (entry.origin == "data" or entry.shared):
                self.buried.add(item_id)
            for generation in self.generations.values():
                generation.members.pop(item_id, None)
            words.append("deleted" if entry else "absent")
        return words

    def seen(self, name: str, item_id: str) -> Item:
        """A member as the generation has it, but for its labels."""
        return self.generations[name].members[item_id].own or self.items[item_id].item

    def item(self, item_id: str, name: str | None = None) -> Item | None:
        entry = self.items.get(item_id)
        if entry is None:
            return None
        if name is None:
            if entry.origin == "api":
                return entry.item
            having = [other for other, known in self.generations.items() if item_id in known.members]
            if not having:
                return _record(entry.item)
            name = having[-1]
        member = self.generations[name].members.get(item_id)
        return replace(self.seen(name, item_id), labels=member.labels) if member else None

    # -- codes -----------------------------------------------------------------------------------------

    def fill(self, name: str, items: Sequence[Item], codes: Sequence[bytes] | None) -> list[str]:
        self.clock += 1
        return [self._fill(name, item, codes[i] if codes else None) for i, item in enumerate(items)]

    def _fill(self, name: str, item: Item, code: bytes | None) -> str:
        members, entry = self.generations[name].members, self.items.get(item.id)
        if entry is None:
            if item.id in self.buried:
                return "deleted"
            self.items[item.id] = Entry(_record(item), "data", False, self.clock)
            members[item.id] = Member(item.labels, code, pictured=True)
            return "added"
        member = members.get(item.id)
        if entry.origin == "api":
            entry.shared = True
            assert member
            member.pictured = True
            if code and picture_of(entry.item) in (("", ""), picture_of(item)):
                member.code = code
            return "kept"
        moved = member is not None and picture_of(self.seen(name, item.id)) != picture_of(item)
        if moved:
            entry.moved = self.clock
        own = None if _record(item) == entry.item else _record(item)
        kept = member.code if member and not moved else None
        members[item.id] = Member(item.labels, code or kept, own, pictured=True)
        return "replaced"

    def put_codes(
        self, name: str, ids: Sequence[str], codes: Sequence[bytes], moved: Sequence[int] | None
    ) -> list[str]:
        """`moved`: of the entries when the pictures were read that the codes are made of."""
        words = []
        for i, item_id in enumerate(ids):
            if item_id not in self.items:
                words.append("absent")
            elif item_id not in self.generations[name].members:
                words.append("no member")
            elif moved is not None and moved[i] != self.items[item_id].moved:
                words.append("changed")
            else:
                self.generations[name].members[item_id].code = codes[i]
                words.append("coded")
        return words

    def lacking(self, name: str) -> dict[str, tuple[str, str]]:
        """URI and picture of each member that lacks its code and has a picture."""
        return {
            item_id: picture_of(self.seen(name, item_id))
            for item_id, member in self.generations[name].members.items()
            if member.code is None and (member.pictured or any(picture_of(self.items[item_id].item)))
        }

    # -- generations -----------------------------------------------------------------------------------

    def begin(self, name: str, bits: int) -> None:
        if name not in self.generations:
            ours = {
                item_id: Member(entry.item.labels)
                for item_id, entry in self.items.items()
                if entry.origin == "api"
            }
            self.generations[name] = Generation(bits, members=ours)

    def seal(self, name: str) -> None:
        if self.generations[name].state == "building":
            self.generations[name].state = "sealed"

    def revive(self, name: str) -> None:
        generation = self.generations[name]
        if generation.missing is None:
            return
        for item_id, entry in self.items.items():
            if entry.origin == "api":
                member = generation.members.get(item_id)
                kept = member.code if member and entry.moved <= generation.missing else None
                pictured = bool(member and (member.pictured or entry.shared))
                generation.members[item_id] = Member(entry.item.labels, kept, pictured=pictured)
        generation.missing = None

    def point(self, name: str, back: bool) -> None:
        if self.history:
            self.generations[self.history[0]].state = "retired"
        if self.history:
            self.generations[self.history[0]].state = "retired"
        self.generations[name].state = "published"
        others = [other for other in self.history if other != name]
        self.history = [name, *(others[1:] if back else others)]
        self.retire()

    def live(self) -> set[str]:
        kept = {*self.history[:2], *(name for name, _ in self.leased)}
        return {name for name, known in self.generations.items() if known.state != "retired" or name in kept}

    def retire(self) -> None:
        live = self.live()
        for name, generation in self.generations.items():
            if name in live:
                self.revive(name)
            elif generation.missing is None:
                generation.missing = self.clock

    def discard(self, name: str) -> None:
        del self.generations[name]
        self.history = [other for other in self.history if other != name]

    def gc(self) -> tuple[set[str], int]:
        """The generations that it removes, and how many items."""
        self.retire()
        dead = self.generations.keys() - self.live()
        for name in dead:
            self.discard(name)
        loose = [
            item_id
            for item_id, entry in self.items.items()
            if entry.origin == "data"
            and not any(item_id in known.members for known in self.generations.values())
        ]
        for item_id in loose:
            del self.items[item_id]
        for item_id, entry in self.items.items():
            having = [
                known.members[item_id] for known in self.generations.values() if item_id in known.members
            ]
            said = having[0].own if having else None
            if entry.origin == "data" and said and all(member.own == said for member in having):
                entry.item = said
                for member in having:
                    member.own = None
        return dead, len(loose)

    def _reached(self) -> dict[str, Generation]:
        return {name: known for name, known in self.generations.items() if known.missing is None}

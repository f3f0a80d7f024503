"""What the kernels take from LLVM directly: popcount, and carry-save addition of bit planes on whole registers.

The vectors are LLVM's own, so the same text becomes AVX-512, AVX2, SSE or NEON.
"""

from typing import Any

import llvmlite.binding as llvm
import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, register_jitable

from taxohash.hamming.kernels.conventions import KERNEL

emitted: Any = intrinsic
jitable: Any = register_jitable
emit_tools: Any = cgutils

LANES = 32  # uint64 words of one plane of a block
LINE = 8  # uint64 words of a cache line
CODES = 64 * LANES  # codes of a block
BAND = 5  # blocks whose planes lie side by side; odd, so that planes do not compete for the same places of a cache
STRIDE = BAND * LANES  # uint64 words from one plane of a block to the next
ONE = np.uint64(1)
GROUP = 16  # planes added by one tree of adders


def _widest() -> int:
    """uint64 lanes of the widest register of the CPU that numba compiles for: asked of LLVM, as it may be any."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    target = llvm.Target.from_triple(triple).create_target_machine(cpu, features)
    add = "define <8 x i64> @f(<8 x i64> %x) { %y = add <8 x i64> %x, %x ret <8 x i64> %y }"
    return 8 if "zmm" in target.emit_assembly(llvm.parse_assembly(add)) else 4


VECTOR = _widest()

I64 = ir.IntType(64)
VECTOR_TYPE = ir.VectorType(I64, VECTOR)
ZERO = ir.Constant(VECTOR_TYPE, [0] * VECTOR)
ONES = ir.Constant(VECTOR_TYPE, [-1] * VECTOR)


@emitted
def popcount(_: Any, word: Any) -> Any:
    """The number of set bits of a uint64, as LLVM's ctpop (a vector instruction where the CPU has one)."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), emit


@nb.njit(inline="always", **KERNEL)
def lowest(word):  # type: ignore[no-untyped-def]
    """The number of the lowest set bit of a word that has one."""
    return np.int64(popcount((word & (~word + ONE)) - ONE))


@jitable
def count_planes(width: Any) -> Any:
    """C, the planes that hold |x| for codes of len(width) words."""
    planes = 7
    while 64 * len(width) >> planes:
        planes += 1
    return planes


@jitable
def code_planes(bits: Any) -> Any:
    """Planes that hold the bits of codes: whole bytes of them, as codes come packed."""
    return (bits + 7) // 8 * 8


@jitable
def band_size(width: Any, bits: Any) -> Any:
    """Words of one band of blocks of codes of `bits` bits."""
    return (1 + count_planes(width) + code_planes(bits)) * STRIDE


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _load(builder: Any, base: Any, offset: Any) -> Any:
    vector = builder.load(builder.bitcast(builder.gep(base, [offset]), VECTOR_TYPE.as_pointer()))
    vector.align = 8
    return vector


def _store(builder: Any, vector: Any, base: Any, offset: Any) -> None:
    builder.store(vector, builder.bitcast(builder.gep(base, [offset]), VECTOR_TYPE.as_pointer())).align = 8


def _splat(builder: Any, word: Any) -> Any:
    undefined = ir.Constant(VECTOR_TYPE, ir.Undefined)
    first = builder.insert_element(undefined, word, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    )


def _full_add(builder: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Sum and carry of three bits, lane by lane."""
    half = builder.xor(a, b)  # written so that AVX-512 needs one VPTERNLOG for each of the two
    return builder.xor(half, c), builder.xor(b, builder.and_(builder.xor(b, c), half))


def _prefetch(builder: Any, base: Any, offset: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), *[ir.IntType(32)] * 3])
    hint = builder.module.declare_intrinsic("llvm.prefetch", [ir.IntType(8).as_pointer()], kind)
    address = builder.bitcast(builder.gep(base, [offset]), ir.IntType(8).as_pointer())
    builder.call(hint, [address, ir.IntType(32)(0), ir.IntType(32)(3), ir.IntType(32)(1)])  # read, keep, data


def _add_slots(
    builder: Any, counters: list[Any], base: Any, slots: Any, groups: int, lane: Any, ahead: Any
) -> None:
    """Add the planes at offsets slots[0 : 16 * groups] to the counters (pointers to vectors, low bit first).

    `ahead`, unless None, is how many words further on the same planes will be wanted next.
    """
    with emit_tools.for_range(builder, I64(groups), intp=I64) as loop:
        first = builder.mul(loop.index, I64(GROUP))
        level = []
        for i in range(GROUP):
            offset = builder.sext(builder.load(builder.gep(slots, [builder.add(first, I64(i))])), I64)
            place = builder.add(offset, lane)
            level.append(_load(builder, base, place))
            if ahead is not None:
                _prefetch(builder, base, builder.add(place, ahead))
        for counter in counters[:4]:
            value, carries = builder.load(counter), []
            for a, b in zip(level[::2], level[1::2], strict=True):
                value, carry = _full_add(builder, value, a, b)
                carries.append(carry)
            builder.store(value, counter)
            level = carries
        carry = level[0]
        for counter in counters[4:]:
            value = builder.load(counter)
            builder.store(builder.xor(value, carry), counter)
            carry = builder.and_(value, carry)


@emitted
def prefetch(_: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of array[index], a place that may lie outside of it."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _prefetch(builder, _data(context, builder, signature.args[0], arguments[0]), arguments[1])
        return context.get_dummy_value()

    return types.void(array, types.int64), emit


@emitted
def add_planes(_: Any, width: Any, block: Any, slots: Any) -> Any:
    """Write the planes of |x|: the sum of the planes at offsets slots int32[64 * W]."""
    planes = count_planes(range(width.count))

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = _data(context, builder, signature.args[1], arguments[1])
        offsets = _data(context, builder, signature.args[2], arguments[2])
        counters = [emit_tools.alloca_once(builder, VECTOR_TYPE) for _ in range(planes)]
        with emit_tools.for_range_slice(builder, I64(0), I64(LANES), I64(VECTOR), intp=I64) as (lane, _count):
            for counter in counters:
                builder.store(ZERO, counter)
            _add_slots(builder, counters, base, offsets, 64 * width.count // GROUP, lane, None)
            for i, counter in enumerate(counters):
                _store(builder, builder.load(counter), base, builder.add(I64((1 + i) * STRIDE), lane))
        return context.get_dummy_value()

    return types.void(width, block, slots), emit


def _or_lanes(builder: Any, vector: Any) -> Any:
    parts = [builder.extract_element(vector, ir.IntType(32)(i)) for i in range(VECTOR)]
    while len(parts) > 1:
        parts = [builder.or_(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _emit_compare(context: Any, builder: Any, signature: Any, arguments: Any, fetch: bool) -> Any:
    words = signature.args[0].count
    size = count_planes(range(words))
    base = _data(context, builder, signature.args[1], arguments[1])
    slots = _data(context, builder, signature.args[2], arguments[2])
    output = _data(context, builder, signature.args[5], arguments[5])
    ahead = arguments[6] if fetch else None
    start = [builder.neg(builder.and_(builder.lshr(arguments[3], I64(i)), I64(1))) for i in range(size + 1)]
    addend = [_splat(builder, word) for word in start]
    flips = _splat(builder, arguments[4])
    counters = [emit_tools.alloca_once(builder, VECTOR_TYPE) for _ in range(size + 1)]
    seen = emit_tools.alloca_once_value(builder, ZERO)
    with emit_tools.for_range_slice(builder, I64(0), I64(LANES), I64(VECTOR), intp=I64) as (lane, _count):
        carry = ZERO
        for i in range(size + 1):
            place = builder.add(I64((1 + i) * STRIDE), lane)
            ones = _load(builder, base, place) if i < size else ZERO
            if fetch and i < size:
                _prefetch(builder, base, builder.add(place, ahead))
            bit, carry = _full_add(builder, ones, addend[i], carry)
            if i == 0:
                _store(builder, bit, output, builder.add(I64(LANES), lane))
            else:
                builder.store(builder.xor(bit, ONES), counters[i - 1])
        builder.store(builder.xor(bit, ONES), counters[size])
        _add_slots(builder, counters, base, slots, 32 * words // GROUP, lane, ahead)
        for i, counter in enumerate(counters):
            _store(builder, builder.load(counter), output, builder.add(I64((2 + i) * LANES), lane))
        answer = builder.xor(builder.load(counters[size]), flips)
        _store(builder, answer, output, lane)
        builder.store(builder.or_(builder.load(seen), answer), seen)
    return _or_lanes(builder, builder.load(seen))


@emitted
def compare(_: Any, width: Any, block: Any, slots: Any, start: Any, flip: Any, out: Any) -> Any:
    """v = s - (y >> 1) - 1 for all codes of a block, where s adds the planes at slots int32[32 * W], y = |x| + start.

    Writes to out uint64[(C + 3) * LANES]: where v < 0 (v >= 0 if `flip` is all ones), the low bit of y, and v in
    C + 1 planes. Returns all the answers or'ed together.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _emit_compare(context, builder, signature, arguments, fetch=False)

    return types.uint64(width, block, slots, types.int64, types.uint64, out), emit


@emitted
def compare_ahead(
    _: Any, width: Any, block: Any, slots: Any, start: Any, flip: Any, out: Any, ahead: Any
) -> Any:
    """`compare`, fetching the same planes `ahead` words further on: skipped planes defeat the CPU's own prefetching."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _emit_compare(context, builder, signature, arguments, fetch=True)

    return types.uint64(width, block, slots, types.int64, types.uint64, out, types.int64), emit


def _accumulate(builder: Any, counters: list[Any], level: list[Any]) -> None:
    """Add 1, 2, 4 or 8 planes to the counters (pointers to vectors, low bit first)."""
    for counter in counters:
        value, carries = builder.load(counter), []
        for a, b in zip(level[::2], level[1::2], strict=False):
            value, carry = _full_add(builder, value, a, b)
            carries.append(carry)
        if len(level) == 1:
            carries.append(builder.and_(value, level[0]))
            value = builder.xor(value, level[0])
        builder.store(value, counter)
        level = carries


@emitted
def count_common(
    _: Any, width: Any, words: Any, base: Any, stride: Any, lanes: Any, slots: Any, used: Any, need: Any, out: Any
) -> Any:  # fmt: skip
    """Which codes have at least `need` of the bits slots int32[used], and how many more.

    Plane j of the codes is words[base + j * stride : base + (j + 1) * stride]; of each, the vectors that hold lanes
    lanes[0] to lanes[1] - 1 are looked at (what they read beyond is not used). Writes to out uint64[(C + 1) * LINE]: who
    has them, and how many more in C planes. Returns all the answers or'ed together.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = count_planes(range(width.count))
        source = _data(context, builder, signature.args[1], arguments[1])
        chosen = _data(context, builder, signature.args[5], arguments[5])
        output = _data(context, builder, signature.args[8], arguments[8])
        first, last = emit_tools.unpack_tuple(builder, arguments[4], 2)
        begin = builder.sub(I64(1 << size), arguments[7])
        start = [
            _splat(builder, builder.neg(builder.and_(builder.lshr(begin, I64(i)), I64(1))))
            for i in range(size + 1)
        ]
        counters = [emit_tools.alloca_once(builder, VECTOR_TYPE) for _ in range(size + 1)]
        seen = emit_tools.alloca_once_value(builder, ZERO)

        def plane(slot: Any, lane: Any) -> Any:
            number = builder.sext(builder.load(builder.gep(chosen, [slot])), I64)
            offset = builder.add(builder.mul(number, arguments[3]), lane)
            return _load(builder, source, builder.add(arguments[2], offset))

        with emit_tools.for_range_slice(builder, first, last, I64(VECTOR), intp=I64) as (lane, _count):
            for counter, value in zip(counters, start, strict=True):
                builder.store(value, counter)
            eights = builder.lshr(arguments[6], I64(3))
            with emit_tools.for_range(builder, eights, intp=I64) as loop:
                slot = builder.shl(loop.index, I64(3))
                _accumulate(builder, counters, [plane(builder.add(slot, I64(i)), lane) for i in range(8)])
            done = builder.shl(eights, I64(3))
            for few in (4, 2, 1):
                some = builder.and_(arguments[6], I64(few))
                with builder.if_then(builder.icmp_unsigned("!=", some, I64(0))):
                    _accumulate(
                        builder, counters, [plane(builder.add(done, I64(i)), lane) for i in range(few)]
                    )
                done = builder.add(done, some)
            answer = builder.load(counters[size])
            _store(builder, answer, output, lane)
            for i in range(size):
                _store(builder, builder.load(counters[i]), output, builder.add(I64((1 + i) * LINE), lane))
            builder.store(builder.or_(builder.load(seen), answer), seen)
        return _or_lanes(builder, builder.load(seen))

    whole = types.int64
    return types.uint64(width, words, whole, whole, types.UniTuple(whole, 2), slots, whole, whole, out), emit  # type: ignore[no-untyped-call]


@emitted
def compare_weighed(
    _: Any, width: Any, levels: Any, block: Any, slots: Any, counts: Any, start: Any, out: Any
) -> Any:
    """Which codes of a block have b - a - start <= 0, where a and b are sums of its planes, each times a power of two.

    With S = slots.shape[1], slots int32[2 L, S] and counts int64[2 L], multiples of 4 up to S, for L = len(levels): a adds
    2 ** i times the planes at slots[i, : counts[i]], b likewise those of slots[L + i]. All sums are below 2 ** (C + L - 1).
    Writes the answers to out uint64[LANES]; returns them or'ed together.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = count_planes(range(width.count)) + levels.count
        base = _data(context, builder, signature.args[2], arguments[2])
        table = context.make_array(signature.args[3])(context, builder, arguments[3])
        stride = emit_tools.unpack_tuple(builder, table.shape, 2)[1]
        amounts = _data(context, builder, signature.args[4], arguments[4])
        output = _data(context, builder, signature.args[6], arguments[6])
        begin = [
            _splat(builder, builder.neg(builder.and_(builder.lshr(arguments[5], I64(i)), I64(1))))
            for i in range(size)
        ]
        counters = [emit_tools.alloca_once(builder, VECTOR_TYPE) for _ in range(size)]
        seen = emit_tools.alloca_once_value(builder, ZERO)

        def add(row: int, level: int, lane: Any) -> None:
            first = builder.mul(I64(row), stride)
            count = builder.load(builder.gep(amounts, [I64(row)]))

            def planes(slot: Any, many: int) -> list[Any]:
                places = [builder.gep(table.data, [builder.add(slot, I64(i))]) for i in range(many)]
                offsets = [builder.sext(builder.load(place), I64) for place in places]
                return [_load(builder, base, builder.add(offset, lane)) for offset in offsets]

            eights = builder.lshr(count, I64(3))
            with emit_tools.for_range(builder, eights, intp=I64) as loop:
                slot = builder.add(first, builder.shl(loop.index, I64(3)))
                _accumulate(builder, counters[level:], planes(slot, 8))
            with builder.if_then(builder.icmp_unsigned("!=", builder.and_(count, I64(4)), I64(0))):
                slot = builder.add(first, builder.shl(eights, I64(3)))
                _accumulate(builder, counters[level:], planes(slot, 4))

        with emit_tools.for_range_slice(builder, I64(0), I64(LANES), I64(VECTOR), intp=I64) as (lane, _count):
            for counter, value in zip(counters, begin, strict=True):
                builder.store(value, counter)
            for level in range(levels.count):
                add(level, level, lane)
            for counter in counters:  # what there is becomes -1 - it
                builder.store(builder.xor(builder.load(counter), ONES), counter)
            for level in range(levels.count):
                add(levels.count + level, level, lane)
            answer = builder.load(counters[size - 1])
            _store(builder, answer, output, lane)
            builder.store(builder.or_(builder.load(seen), answer), seen)
        return _or_lanes(builder, builder.load(seen))

    return types.uint64(width, levels, block, slots, counts, types.int64, out), emit

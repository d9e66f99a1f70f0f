import pickle

from expunge.errors import DataError, ExpungeError, MaskError, out_of_memory, shown


def test_a_message_is_one_line_of_bounded_length():
    assert str(DataError("no file a\nb\u2028c\r")) == "no file a b c"
    long = str(ExpungeError(f"unknown {'x' * 10_000}: expected a shorter one"))
    assert len(long) < 2000
    assert long.startswith("unknown xxx")
    assert long.endswith("x: expected a shorter one")
    assert str(pickle.loads(pickle.dumps(MaskError("a\nb")))) == "a b"


def test_values_are_cut():
    assert shown("a" * 100, limit=4) == "'aaa..."
    assert shown(10**5000) == "a int of thousands of digits"


def test_out_of_memory_is_told_from_other_errors():
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("shapes do not fit"))
    assert not out_of_memory(ValueError("out of memory"))

"""What is remembered of texts has a bound in bytes, and forgetting it changes nothing."""

from triage.features import field
from triage.features.field import FieldModel
from triage.features.memory import Memory


def test_a_memory_holds_no_more_than_its_bytes() -> None:
    memory: Memory[str, int] = Memory(100)
    for number in range(50):
        memory.keep(f"key{number}", number, 30)
        assert memory.held <= 100
        assert len(memory) <= 3
    assert memory.get("key49") == 49
    assert memory.get("key0") is None


def test_what_is_larger_than_the_memory_is_not_kept() -> None:
    memory: Memory[str, int] = Memory(100)
    memory.keep("large", 1, 101)
    assert (len(memory), memory.held, memory.get("large")) == (0, 0, None)


def test_a_forgotten_memory_is_empty_and_goes_on() -> None:
    memory: Memory[str, int] = Memory(100)
    memory.keep("a", 1, 10)
    memory.forget()
    assert (len(memory), memory.held, memory.get("a")) == (0, 0, None)
    memory.keep("b", 2, 10)
    assert memory.get("b") == 2


def test_forms_weigh_the_same_cold_and_warm_and_count_their_bytes() -> None:
    model = FieldModel.learn({(str, name): 20 for name in ("alice", "bob", "carol")})
    forms = [("alice", "a", 5), ("x' or #=#", "a' a 9=9", 10), ("", "", 0)]
    field.forget()
    cold = [model.form(form) for form in forms]
    assert len(field._forms) == 3
    assert 3 * 400 < field._forms.held < 3 * 1_000
    assert [model.form(form) for form in forms] == cold
    assert cold[0][0] == model.evidence("alice")
    assert cold[1][0] == model.evidence("x' or 1=12")
    field.forget()
    assert len(field._forms) == field._forms.held == 0
    assert [model.form(form) for form in forms] == cold


def test_rescaling_forgets_forms() -> None:
    model = FieldModel.learn({(str, name): 20 for name in ("alice", "bob", "carol")})
    before = model.form(("eve", "a", 3))[0]
    model.rescale(model.scale * 0.5)
    assert model.form(("eve", "a", 3))[0] == tuple(one * 0.5 for one in before)


def test_many_long_forms_stay_within_the_bound() -> None:
    model = FieldModel.learn({(str, "a"): 20})
    field.forget()
    for number in range(200):
        model.form((f"{number} " + "é" * 1_400, "é" * 150, 1_400 + number))
        assert field._forms.held <= field.FORM_BYTES
    assert field._forms.held > 200 * (1_400 + 150)
    field.forget()

"""Rules over several fields of a model, told together with what is wrong with its single fields."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Any, Self, get_args

from pydantic import (
    BaseModel,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from outreach_stream.values import Strict

type Rule = Callable[[Any], str | None]

_KNOWN: frozenset[str] = frozenset(get_args(ErrorType))
_OVER, _AT = "_rule_over", "_rule_at"


def rule(*over: str, at: str = "") -> Callable[[Rule], Rule]:
    """Make a method of a `Ruled` model one of its rules: it returns what is to be corrected, or None.

    It is asked as soon as the fields `over` are right in themselves, whatever is wrong elsewhere. Of all other fields
    it may look only at whether they are None: what cannot be read stands there as it was given. `at`: the field that
    its words are about; empty: the object as a whole.
    """
    def marked(method: Rule) -> Rule:
        setattr(method, _OVER, over)
        setattr(method, _AT, at)
        return method

    return marked


class Ruled(Strict):
    """A model that is refused with every problem at once: those of its fields, and the rules it breaks."""

    @model_validator(mode="wrap")
    @classmethod
    def _every_problem(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        try:
            made = handler(data)
        except ValidationError as error:
            if not isinstance(data, Mapping):
                raise
            details = error.errors(include_url=False)
            found, right = _as_far_as_right(cls, data, info.context)
            raise _refused(cls, [*map(_again, details), *_broken(found, right)]) from None
        if broken := list(_broken(made, frozenset(cls.model_fields))):
            raise _refused(cls, broken)
        return made


def _broken(made: Ruled, right: frozenset[str]) -> Iterator[InitErrorDetails]:
    """The rules that `made` breaks, of those whose fields are right."""
    for method in _rules(type(made)):
        words = method(made) if right.issuperset(getattr(method, _OVER)) else None
        if words is not None:
            at = getattr(method, _AT)
            yield InitErrorDetails(type="value_error", loc=(at,) if at else (), input=None,
                                   ctx={"error": ValueError(words)})


@cache
def _rules(model: type[Ruled]) -> list[Rule]:
    """Those of the model and of what it is derived from, in the order in which they are written."""
    found = {name: member for base in reversed(model.__mro__) for name, member in vars(base).items()}
    return [member for member in found.values() if isinstance(member, FunctionType) and hasattr(member, _OVER)]


def _as_far_as_right(model: type[Ruled], data: Mapping[str, Any], context: Any) -> tuple[Ruled, frozenset[str]]:
    """The object with what can be read of `data`, field by field, and the names of those fields."""
    values: dict[str, Any] = {}
    given, right = set(), set()
    for name, field in model.model_fields.items():
        keys = {name, field.alias or name} & data.keys()
        if keys:
            given.add(name)
        try:
            alone = _alone(model, name).model_validate(data, context=context, extra="ignore")
        except ValidationError:
            values[name] = data[min(keys)] if keys else None
        else:
            values[name] = getattr(alone, name)
            right.add(name)
    return model.model_construct(given, **values), frozenset(right)


@cache
def _alone(model: type[Ruled], name: str) -> type[BaseModel]:
    """A model of one field."""
    field = model.model_fields[name]
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model(model.__name__, __config__=model.model_config, **fields)


def _again(detail: ErrorDetails) -> InitErrorDetails:
    """An error as it was, to be raised once more among others."""
    kind = detail["type"]
    return InitErrorDetails(type=kind if kind in _KNOWN else PydanticCustomError("problem", "{words}", {
        "words": detail["msg"]}), loc=detail["loc"], input=detail["input"], ctx=detail.get("ctx", {}))


def _refused(model: type[Ruled], problems: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(model.__name__, problems, hide_input=True)

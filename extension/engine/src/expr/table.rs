//! The table of operators: one entry per name.

use super::named as n;
use super::ops::{arith, array, bits, compare, fields, logic, object, set, text};
use super::parse::Scope;
use super::{Computed, EvalContext, Expr};
use crate::error::Result;
use crate::raw::Val;

/// How an operator's argument is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// One argument, in an array or not.
    One,
    /// This many.
    Fixed(usize),
    /// From … to …
    Range(usize, usize),
    /// Any number.
    Any,
    /// The operator's own syntax, mostly named arguments.
    Own(fn(&'static Operator, Val<'_>, &Scope<'_>) -> Result<Expr>),
}

/// A function over evaluated arguments; the first parameter is the operator's name.
pub(super) type Eager = fn(&'static str, &[Computed]) -> Result<Computed>;
/// A function that evaluates its arguments itself.
pub(super) type Lazy = fn(&'static str, &[Expr], &EvalContext<'_>) -> Result<Computed>;

/// How an operator runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    Values(Eager),
    Lazy(Lazy),
}

/// One operator.
#[derive(Debug)]
pub(super) struct Operator {
    pub name: &'static str,
    pub shape: Shape,
    pub run: Run,
    /// The same arguments give the same answer: may be folded.
    pub pure: bool,
}

const fn op(name: &'static str, shape: Shape, f: Eager) -> Operator {
    Operator { name, shape, run: Run::Values(f), pure: true }
}

const fn lazy(name: &'static str, shape: Shape, f: Lazy) -> Operator {
    Operator { name, shape, run: Run::Lazy(f), pure: true }
}

/// Forms with a node of their own never reach a function.
const fn form(name: &'static str, f: fn(&'static Operator, Val<'_>, &Scope<'_>) -> Result<Expr>) -> Operator {
    Operator { name, shape: Own(f), run: Run::Values(logic::unreachable_form), pure: false }
}

use Shape::{Any, Fixed, One, Own, Range};

/// Every operator, sorted by name.
pub(super) static OPERATORS: &[Operator] = &[
    op("$abs", One, arith::abs),
    op("$add", Any, arith::add),
    op("$allElementsTrue", One, set::all_elements_true),
    lazy("$and", Any, logic::and),
    op("$anyElementTrue", One, set::any_element_true),
    op("$arrayElemAt", Fixed(2), array::elem_at),
    op("$arrayToObject", One, object::array_to_object),
    op("$bitAnd", Any, bits::and),
    op("$bitNot", One, bits::not),
    op("$bitOr", Any, bits::or),
    op("$bitXor", Any, bits::xor),
    op("$ceil", One, arith::ceil),
    op("$cmp", Fixed(2), compare::cmp),
    op("$concat", Any, text::concat),
    op("$concatArrays", Any, array::concat),
    lazy("$cond", Own(n::cond), logic::cond),
    form("$const", n::literal),
    op("$divide", Fixed(2), arith::divide),
    op("$eq", Fixed(2), compare::eq),
    op("$exp", One, arith::exp),
    form("$filter", n::filter),
    op("$first", One, array::first),
    op("$firstN", Own(n::first_last_n), array::first_n),
    op("$floor", One, arith::floor),
    op("$getField", Own(n::get_field), fields::get),
    op("$gt", Fixed(2), compare::gt),
    op("$gte", Fixed(2), compare::gte),
    lazy("$ifNull", Own(n::if_null), logic::if_null),
    op("$in", Fixed(2), array::contains),
    op("$indexOfArray", Range(2, 4), array::index_of),
    op("$indexOfBytes", Range(2, 4), text::index_of_bytes),
    op("$indexOfCP", Range(2, 4), text::index_of_cp),
    op("$isArray", One, array::is_array),
    op("$isNumber", One, compare::is_number),
    op("$last", One, array::last),
    op("$lastN", Own(n::first_last_n), array::last_n),
    form("$let", n::let_),
    form("$literal", n::literal),
    op("$ln", One, arith::ln),
    op("$log", Fixed(2), arith::log),
    op("$log10", One, arith::log10),
    op("$lt", Fixed(2), compare::lt),
    op("$lte", Fixed(2), compare::lte),
    op("$ltrim", Own(n::trim), text::ltrim),
    op("$makeArray", One, array::make),
    form("$map", n::map),
    op("$maxN", Own(n::first_last_n), array::max_n),
    op("$mergeObjects", Any, object::merge),
    op("$minN", Own(n::first_last_n), array::min_n),
    op("$mod", Fixed(2), arith::modulo),
    op("$multiply", Any, arith::multiply),
    op("$ne", Fixed(2), compare::ne),
    op("$not", One, logic::not),
    op("$objectToArray", One, object::object_to_array),
    lazy("$or", Any, logic::or),
    op("$pow", Fixed(2), arith::pow),
    op("$range", Range(2, 3), array::range),
    form("$reduce", n::reduce),
    op("$replaceAll", Own(n::replace), text::replace_all),
    op("$replaceOne", Own(n::replace), text::replace_one),
    op("$reverseArray", One, array::reverse),
    op("$round", Range(1, 2), arith::round),
    op("$rtrim", Own(n::trim), text::rtrim),
    op("$setDifference", Fixed(2), set::difference),
    op("$setEquals", Any, set::equals),
    op("$setField", Own(n::set_field), fields::set),
    op("$setIntersection", Any, set::intersection),
    op("$setIsSubset", Fixed(2), set::is_subset),
    op("$setUnion", Any, set::union),
    op("$size", One, array::size),
    op("$slice", Range(2, 3), array::slice),
    op("$sortArray", Own(n::sort_array), array::sort),
    op("$split", Fixed(2), text::split),
    op("$sqrt", One, arith::sqrt),
    op("$strLenBytes", One, text::len_bytes),
    op("$strLenCP", One, text::len_cp),
    op("$strcasecmp", Fixed(2), text::strcasecmp),
    op("$substr", Fixed(3), text::substr_bytes),
    op("$substrBytes", Fixed(3), text::substr_bytes),
    op("$substrCP", Fixed(3), text::substr_cp),
    op("$subtract", Fixed(2), arith::subtract),
    form("$switch", n::switch),
    op("$toLower", One, text::to_lower),
    op("$toUpper", One, text::to_upper),
    op("$trim", Own(n::trim), text::trim),
    op("$trunc", Range(1, 2), arith::trunc),
    op("$type", One, compare::type_of),
    op("$unsetField", Own(n::set_field), fields::unset),
    op("$zip", Own(n::zip), array::zip),
];

/// The entry of `name`.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.binary_search_by(|o| o.name.cmp(name)).ok().and_then(|i| OPERATORS.get(i))
}

//! The table of operators: one entry per name.

use super::forms as f;
use super::named as n;
use super::named_dates as nd;
use super::ops::date::{add as dates, format, parts, read, trunc};
use super::ops::{
    arith, array, bits, collect, compare, convert, fields, hashed, logic, misc, object, order, power, regex,
    set, text, trig,
};
use super::parse::Scope;
use super::{Computed, EvalContext, Expr};
use crate::collation::Collation;
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

/// An [`Eager`] function that compares values.
pub(super) type Ordered = fn(&'static str, &[Computed], &Collation) -> Result<Computed>;
/// A [`Lazy`] function that compares values.
pub(super) type LazyOrdered = fn(&'static str, &[Expr], &EvalContext<'_>, &Collation) -> Result<Computed>;

/// How an operator runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    Values(Eager),
    Lazy(Lazy),
    Ordered(Ordered),
    LazyOrdered(LazyOrdered),
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

/// The answer depends on how strings compare.
const fn ordered(name: &'static str, shape: Shape, f: Ordered) -> Operator {
    Operator { name, shape, run: Run::Ordered(f), pure: true }
}

/// Forms with a node of their own never reach a function.
const fn form(name: &'static str, f: fn(&'static Operator, Val<'_>, &Scope<'_>) -> Result<Expr>) -> Operator {
    Operator { name, shape: Own(f), run: Run::Values(logic::unreachable_form), pure: false }
}

/// The same call gives different answers: never folded.
const fn chance(
    name: &'static str,
    parse: fn(&'static Operator, Val<'_>, &Scope<'_>) -> Result<Expr>,
    f: Eager,
) -> Operator {
    Operator { name, shape: Own(parse), run: Run::Values(f), pure: false }
}

use Shape::{Any, Fixed, One, Own, Range};

/// Every operator, sorted by name.
pub(super) static OPERATORS: &[Operator] = &[
    op("$abs", One, arith::abs),
    op("$acos", One, trig::unary),
    op("$acosh", One, trig::unary),
    op("$add", Any, arith::add),
    op("$allElementsTrue", One, set::all_elements_true),
    lazy("$and", Any, logic::and),
    op("$anyElementTrue", One, set::any_element_true),
    op("$arrayElemAt", Fixed(2), array::elem_at),
    op("$arrayToObject", One, object::array_to_object),
    op("$asin", One, trig::unary),
    op("$asinh", One, trig::unary),
    op("$atan", One, trig::unary),
    op("$atan2", Fixed(2), trig::atan2),
    op("$atanh", One, trig::unary),
    Operator { name: "$avg", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    op("$binarySize", One, misc::binary_size),
    op("$bitAnd", Any, bits::and),
    op("$bitNot", One, bits::not),
    op("$bitOr", Any, bits::or),
    op("$bitXor", Any, bits::xor),
    op("$bsonSize", One, misc::bson_size),
    op("$ceil", One, arith::ceil),
    ordered("$cmp", Fixed(2), compare::cmp),
    op("$concat", Any, text::concat),
    op("$concatArrays", Any, array::concat),
    lazy("$cond", Own(f::cond), logic::cond),
    form("$const", f::literal),
    lazy("$convert", Own(n::convert), convert::convert),
    op("$cos", One, trig::unary),
    op("$cosh", One, trig::unary),
    lazy("$dateAdd", Own(nd::add), dates::date_add),
    lazy("$dateDiff", Own(nd::diff), dates::diff),
    lazy("$dateFromParts", Own(nd::from_parts), parts::from_parts),
    lazy("$dateFromString", Own(nd::from_string), read::from_string),
    lazy("$dateSubtract", Own(nd::add), dates::date_add),
    lazy("$dateToParts", Own(nd::to_parts), parts::to_parts),
    lazy("$dateToString", Own(nd::to_string), format::to_string),
    lazy("$dateTrunc", Own(nd::trunc), trunc::trunc),
    op("$dayOfMonth", Own(nd::date_part), parts::part),
    op("$dayOfWeek", Own(nd::date_part), parts::part),
    op("$dayOfYear", Own(nd::date_part), parts::part),
    op("$degreesToRadians", One, trig::unary),
    op("$divide", Fixed(2), arith::divide),
    ordered("$eq", Fixed(2), compare::eq),
    op("$exp", One, power::exp),
    form("$filter", f::filter),
    op("$first", One, array::first),
    op("$firstN", Own(n::first_last_n), order::first_n),
    op("$floor", One, arith::floor),
    op("$getField", Own(n::get_field), fields::get),
    ordered("$gt", Fixed(2), compare::gt),
    ordered("$gte", Fixed(2), compare::gte),
    op("$hour", Own(nd::date_part), parts::part),
    lazy("$ifNull", Own(f::if_null), logic::if_null),
    ordered("$in", Fixed(2), array::contains),
    ordered("$indexOfArray", Range(2, 4), array::index_of),
    op("$indexOfBytes", Range(2, 4), text::index_of_bytes),
    op("$indexOfCP", Range(2, 4), text::index_of_cp),
    op("$isArray", One, array::is_array),
    op("$isNumber", One, compare::is_number),
    op("$isoDayOfWeek", Own(nd::date_part), parts::part),
    op("$isoWeek", Own(nd::date_part), parts::part),
    op("$isoWeekYear", Own(nd::date_part), parts::part),
    op("$last", One, array::last),
    op("$lastN", Own(n::first_last_n), order::last_n),
    form("$let", f::let_),
    form("$literal", f::literal),
    op("$ln", One, power::ln),
    op("$log", Fixed(2), power::log),
    op("$log10", One, power::log10),
    ordered("$lt", Fixed(2), compare::lt),
    ordered("$lte", Fixed(2), compare::lte),
    op("$ltrim", Own(n::trim), text::ltrim),
    op("$makeArray", One, array::make),
    form("$map", f::map),
    Operator { name: "$max", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    ordered("$maxN", Own(n::first_last_n), order::max_n),
    op("$median", Own(n::percentile), collect::percentile),
    op("$mergeObjects", Any, object::merge),
    form("$meta", n::meta),
    op("$millisecond", Own(nd::date_part), parts::part),
    Operator { name: "$min", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    ordered("$minN", Own(n::first_last_n), order::min_n),
    op("$minute", Own(nd::date_part), parts::part),
    op("$mod", Fixed(2), arith::modulo),
    op("$month", Own(nd::date_part), parts::part),
    op("$multiply", Any, arith::multiply),
    ordered("$ne", Fixed(2), compare::ne),
    op("$not", One, logic::not),
    op("$objectToArray", One, object::object_to_array),
    lazy("$or", Any, logic::or),
    op("$percentile", Own(n::percentile), collect::percentile),
    op("$pow", Fixed(2), power::pow),
    op("$radiansToDegrees", One, trig::unary),
    chance("$rand", n::rand, misc::rand),
    op("$range", Range(2, 3), array::range),
    form("$reduce", f::reduce),
    op("$regexFind", Own(n::regex), regex::find),
    op("$regexFindAll", Own(n::regex), regex::find_all),
    op("$regexMatch", Own(n::regex), regex::matches),
    op("$replaceAll", Own(n::replace), text::replace_all),
    op("$replaceOne", Own(n::replace), text::replace_one),
    op("$reverseArray", One, array::reverse),
    op("$round", Range(1, 2), arith::round),
    op("$rtrim", Own(n::trim), text::rtrim),
    op("$second", Own(nd::date_part), parts::part),
    ordered("$setDifference", Fixed(2), set::difference),
    ordered("$setEquals", Any, set::equals),
    op("$setField", Own(n::set_field), fields::set),
    ordered("$setIntersection", Any, set::intersection),
    ordered("$setIsSubset", Fixed(2), set::is_subset),
    ordered("$setUnion", Any, set::union),
    op("$sin", One, trig::unary),
    op("$sinh", One, trig::unary),
    op("$size", One, array::size),
    op("$slice", Range(2, 3), array::slice),
    ordered("$sortArray", Own(n::sort_array), order::sort),
    op("$split", Fixed(2), text::split),
    op("$sqrt", One, power::sqrt),
    Operator { name: "$stdDevPop", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    Operator { name: "$stdDevSamp", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    op("$strLenBytes", One, text::len_bytes),
    op("$strLenCP", One, text::len_cp),
    op("$strcasecmp", Fixed(2), text::strcasecmp),
    op("$substr", Fixed(3), text::substr_bytes),
    op("$substrBytes", Fixed(3), text::substr_bytes),
    op("$substrCP", Fixed(3), text::substr_cp),
    op("$subtract", Fixed(2), arith::subtract),
    Operator { name: "$sum", shape: Any, run: Run::LazyOrdered(collect::collect), pure: true },
    form("$switch", f::switch),
    op("$tan", One, trig::unary),
    op("$tanh", One, trig::unary),
    op("$toBool", One, convert::named),
    op("$toDate", One, convert::named),
    op("$toDecimal", One, convert::named),
    op("$toDouble", One, convert::named),
    op("$toHashedIndexKey", One, hashed::key),
    op("$toInt", One, convert::named),
    op("$toLong", One, convert::named),
    op("$toLower", One, text::to_lower),
    op("$toObjectId", One, convert::named),
    op("$toString", One, convert::named),
    op("$toUUID", One, convert::named),
    op("$toUpper", One, text::to_upper),
    op("$trim", Own(n::trim), text::trim),
    op("$trunc", Range(1, 2), arith::trunc),
    op("$tsIncrement", One, misc::ts_increment),
    op("$tsSecond", One, misc::ts_second),
    op("$type", One, compare::type_of),
    op("$unsetField", Own(n::set_field), fields::unset),
    op("$week", Own(nd::date_part), parts::part),
    op("$year", Own(nd::date_part), parts::part),
    op("$zip", Own(n::zip), array::zip),
];

/// The entry of `name`.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.binary_search_by(|o| o.name.cmp(name)).ok().and_then(|i| OPERATORS.get(i))
}

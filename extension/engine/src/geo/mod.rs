//! Geometries on the sphere and on the plane (MongoDB manual, "Geospatial Data").
//!
//! [`parse`] reads GeoJSON and MongoDB's older coordinate pairs, [`shapes`] the latter's regions; [`sphere`] and [`plane`] say what contains, meets and
//! is how far from what; [`cover`] turns regions into ranges of cell numbers, which is what indexes keep; [`near`] is
//! the operand of `$near` and its kin. GeoJSON lives on the sphere, its edges are great circle arcs; `$box`,
//! `$polygon` and `$center` live on the plane. Cells and the robust predicates are those of the S2 library, as in MongoDB.

pub mod cover;
pub mod near;
pub(crate) mod parse;
pub(crate) mod plane;
pub(crate) mod rings;
pub(crate) mod shapes;
pub(crate) mod sphere;
#[cfg(test)]
mod tests;

/// Metres in a radian of a great circle: the equatorial radius that MongoDB counts with.
pub const EARTH_RADIUS: f64 = 6_378_100.0;

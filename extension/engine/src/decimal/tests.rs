use super::*;
use proptest::prelude::*;

fn d(text: &str) -> Parts {
    parse(text).unwrap_or_else(|| panic!("{text} is not a decimal"))
}

#[test]
fn text_both_ways() {
    for (text, shown) in [
        ("0", "0"),
        ("-0", "-0"),
        ("1.50", "1.50"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1E-7"),
        ("12E3", "1.2E+4"),
        ("1E+3", "1E+3"),
        ("9.999999999999999999999999999999999E6144", "9.999999999999999999999999999999999E+6144"),
        ("1E-6176", "1E-6176"),
        ("1E6144", "1.000000000000000000000000000000000E+6144"),
        ("1E6145", "Infinity"),
        ("-1E9999999", "-Infinity"),
        ("1E-9999999", "0E-6176"),
        ("12345678901234567890123456789012345", "1.234567890123456789012345678901234E+34"),
        ("12345678901234567890123456789012355", "1.234567890123456789012345678901236E+34"),
        ("inf", "Infinity"),
        ("nan", "NaN"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0E+6200", "0E+6111"),
    ] {
        assert_eq!(to_text(d(text)), shown, "{text}");
        assert_eq!(decode(encode(d(text))), d(text), "{text}");
    }
    for bad in ["", "-", ".", "1e", "e5", "1 ", "0x1", "1e+-5", "--1", "1.2.3"] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

#[test]
fn arithmetic_is_correct_to_34_digits() {
    let t = |p| to_text(p);
    assert_eq!(t(add(d("0.1"), d("0.2"))), "0.3");
    assert_eq!(t(sub(d("1"), d("1.00"))), "0.00");
    assert_eq!(t(mul(d("1.10"), d("2"))), "2.20");
    assert_eq!(t(div(d("1"), d("3"))), "0.3333333333333333333333333333333333");
    assert_eq!(t(div(d("2"), d("3"))), "0.6666666666666666666666666666666667");
    assert_eq!(t(div(d("1"), d("0"))), "Infinity");
    assert_eq!(t(div(d("0"), d("0"))), "NaN");
    assert_eq!(t(rem(d("-7.5"), d("2"))), "-1.5");
    assert_eq!(t(rem(d("1E+6000"), d("7"))), "1");
    assert_eq!(t(rem(d("5"), d("1E+100"))), "5");
    assert_eq!(t(pow(d("2"), d("10"))), "1024");
    assert_eq!(t(sqrt(d("2"))), "1.414213562373095048801688724209698");
    assert_eq!(t(sqrt(d("-1"))), "NaN");
    assert_eq!(t(ln(d("10"))), "2.302585092994045684017991454684364");
    assert_eq!(t(log10(d("1000"))), "3");
    assert_eq!(t(exp(d("1"))), "2.718281828459045235360287471352662");
    assert_eq!(t(mul(d("9E+6144"), d("10"))), "Infinity");
}

#[test]
fn quantizes() {
    let q = |x, e, r| to_text(quantize(d(x), e, r));
    assert_eq!(q("2.5", 0, Rounding::HalfEven), "2");
    assert_eq!(q("-2.5", 0, Rounding::Floor), "-3");
    assert_eq!(q("2.1", 0, Rounding::Ceiling), "3");
    assert_eq!(q("1234.5678", -2, Rounding::HalfEven), "1234.57");
    assert_eq!(q("1234.5678", 2, Rounding::Down), "1.2E+3");
    assert_eq!(q("1E+100", 0, Rounding::Floor), "1E+100");
    assert_eq!(q("Infinity", 0, Rounding::Floor), "Infinity");
}

#[test]
fn doubles() {
    assert_eq!(to_text(from_f64_15(1.5)), "1.50000000000000");
    assert_eq!(to_text(from_f64_15(0.1)), "0.100000000000000");
    assert_eq!(to_text(from_f64(0.1)), "0.1000000000000000055511151231257827");
    assert_eq!(to_text(from_f64_15(-0.0)), "-0");
    assert_eq!(to_f64(d("1E+400")), f64::INFINITY);
    assert_eq!(to_f64(d("5E-324")), 5e-324);
}

proptest! {
    #[test]
    fn any_bytes_decode_and_encode_to_the_same_number(bytes: [u8; 16]) {
        let parts = decode(bytes);
        prop_assert_eq!(decode(encode(parts)), parts);
        if let Some(again) = parse(&to_text(parts)) {
            prop_assert!(compare_parts(again, parts).is_eq());
        } else {
            prop_assert!(false, "{} does not parse", to_text(parts));
        }
    }

    #[test]
    fn integers_add_and_multiply_as_integers(a: i32, b: i32) {
        let (x, y) = (from_i64(a.into()), from_i64(b.into()));
        prop_assert_eq!(truncate_i64(add(x, y)), crate::number::Truncated::Int(i64::from(a) + i64::from(b)));
        prop_assert_eq!(truncate_i64(mul(x, y)), crate::number::Truncated::Int(i64::from(a) * i64::from(b)));
    }

    #[test]
    fn doubles_survive(x: f64) {
        let back = to_f64(from_f64(x));
        prop_assert!(back == x || x.is_nan() && back.is_nan());
    }
}

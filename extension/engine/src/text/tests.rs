use super::filter::{TextFilter, parts};
use super::language::Language;
use super::spec::TextSpec;
use super::token::{Folding, words};
use crate::extjson;
use crate::raw::Doc;

fn spec(json: &str) -> TextSpec {
    TextSpec::parse(0, Doc::new(&extjson::parse(json).unwrap()).unwrap()).unwrap()
}

fn score(spec: &TextSpec, search: &str, doc: &str) -> Option<f64> {
    let filter = TextFilter::new(search, None, false, false);
    filter.bind(spec).unwrap();
    let bytes = extjson::parse(doc).unwrap();
    let doc = Doc::new(&bytes).unwrap();
    filter.matches(doc).unwrap().then(|| filter.score(doc).unwrap())
}

#[test]
fn words_are_folded_stemmed_and_stopped() {
    let english = Language::of("EN").unwrap();
    let plain = Folding::default();
    assert_eq!(words("The Running dogs, don't", english, plain, false), ["run", "dog", "don't"]);
    assert_eq!(
        words("Café naïve co-op a_b", Language::of("none").unwrap(), plain, false),
        ["cafe", "naive", "co", "op", "a_b"]
    );
    let kept = Folding { case: true, diacritics: true };
    assert_eq!(words("Café", Language::of("none").unwrap(), kept, false), ["Café"]);
    assert!(Language::of("klingon").is_err());
}

#[test]
fn a_search_is_taken_apart() {
    let p = parts(r#"coffee -shop "tea time" -"black tea" -a-b - c"#);
    assert_eq!(p.positive, "coffee tea time c ");
    assert_eq!(p.negative, "shop a b ");
    assert_eq!(p.phrases, ["tea time"]);
    assert_eq!(p.negated_phrases, ["black tea"]);
}

#[test]
fn scores_are_mongodbs() {
    let s = spec(r#"{"weights":{"t":1}}"#);
    // One of one, one of two, one of three words.
    assert_eq!(score(&s, "coffee", r#"{"t":"coffee"}"#), Some(1.0));
    assert_eq!(score(&s, "cake", r#"{"t":"cake"}"#), Some(1.1));
    assert_eq!(score(&s, "cake", r#"{"t":"cake shop"}"#), Some(0.75));
    assert_eq!(score(&s, "cake", r#"{"t":"cake cake shop door"}"#), Some(1.125));
    assert_eq!(score(&s, "cake shop", r#"{"t":"cake shop"}"#), Some(1.5));
    assert_eq!(score(&s, "cake -shop", r#"{"t":"cake shop"}"#), None);
    assert_eq!(score(&s, "\"shop cake\"", r#"{"t":"cake shop"}"#), None);
    assert_eq!(score(&s, "the", r#"{"t":"the cake"}"#), None);
    let weighted = spec(r#"{"weights":{"t":10,"b.c":2}}"#);
    assert_eq!(score(&weighted, "cake", r#"{"t":"cake shop","b":[{"c":"cake pan"}],"x":"cake"}"#), Some(9.0));
    let all = spec(r#"{"weights":{"$**":1}}"#);
    assert_eq!(score(&all, "cake", r#"{"a":{"b":["cake shop"]},"language":"none"}"#), Some(0.75));
}

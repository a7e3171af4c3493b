//! The names of locales: those of ICU 57 as MongoDB takes them (MongoDB manual, "Supported Languages and Locales").

/// Locales, in order.
const LOCALES: &[&str] = &[
    "af",
    "am",
    "ar",
    "as",
    "az",
    "be",
    "bg",
    "bn",
    "bo",
    "bs",
    "bs_Cyrl",
    "ca",
    "chr",
    "cs",
    "cy",
    "da",
    "de",
    "de_AT",
    "dsb",
    "dz",
    "ee",
    "el",
    "en",
    "en_US",
    "en_US_POSIX",
    "eo",
    "es",
    "et",
    "fa",
    "fa_AF",
    "fi",
    "fil",
    "fo",
    "fr",
    "fr_CA",
    "ga",
    "gl",
    "gu",
    "ha",
    "haw",
    "he",
    "hi",
    "hr",
    "hsb",
    "hu",
    "hy",
    "id",
    "ig",
    "is",
    "it",
    "ja",
    "ka",
    "kk",
    "kl",
    "km",
    "kn",
    "ko",
    "kok",
    "ky",
    "lb",
    "lkt",
    "ln",
    "lo",
    "lt",
    "lv",
    "mk",
    "ml",
    "mn",
    "mr",
    "ms",
    "mt",
    "my",
    "nb",
    "ne",
    "nl",
    "nn",
    "om",
    "or",
    "pa",
    "pl",
    "ps",
    "pt",
    "ro",
    "ru",
    "se",
    "si",
    "sk",
    "sl",
    "smn",
    "sq",
    "sr",
    "sr_Latn",
    "sv",
    "sw",
    "ta",
    "te",
    "th",
    "to",
    "tr",
    "ug",
    "uk",
    "ur",
    "vi",
    "wae",
    "yi",
    "yo",
    "zh",
    "zh_Hant",
    "zu",
];

/// Locales whose order is the root's, so that the direction of accents can be chosen: the library knows it of
/// `fr_CA` alone, whose order is the root's too.
const ROOT_ORDER: &[&str] =
    &["en", "en_US", "fr", "fr_CA", "de", "de_AT", "it", "pt", "nl", "id", "ms", "ga", "lb", "sw", "zu"];

/// Variants that every locale has.
const VARIANTS: &[&str] = &["emoji", "eor", "search"];

/// Variants of single locales.
const OWN_VARIANTS: &[(&str, &[&str])] = &[
    ("ar", &["compat"]),
    ("bn", &["traditional"]),
    ("de", &["phonebook"]),
    ("de_AT", &["phonebook"]),
    ("es", &["traditional"]),
    ("fi", &["traditional"]),
    ("ja", &["unihan"]),
    ("kn", &["traditional"]),
    ("ko", &["searchjl", "unihan"]),
    ("ln", &["phonetic"]),
    ("si", &["dictionary"]),
    ("sv", &["standard"]),
    ("vi", &["traditional"]),
    ("zh", &["big5han", "gb2312han", "standard", "stroke", "unihan", "zhuyin"]),
    ("zh_Hant", &["big5han", "gb2312han", "pinyin", "standard", "unihan", "zhuyin"]),
];

/// Variants that the library has no rules for.
const WITHOUT_RULES: &[&str] = &["big5han", "gb2312han", "phonetic", "search", "searchjl"];

/// Names that mean another locale.
const ALIASES: &[(&str, &str)] = &[
    ("in", "id"),
    ("iw", "he"),
    ("mo", "ro"),
    ("no", "nb"),
    ("sh", "sr_Latn"),
    ("tl", "fil"),
    ("zh_HK", "zh_Hant"),
    ("zh_MO", "zh_Hant"),
    ("zh_TW", "zh_Hant"),
];

/// A locale, and the variant of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale<'a> {
    name: &'a str,
    variant: Option<&'a str>,
}

impl<'a> Locale<'a> {
    /// Takes a name as it is; `None` for one that no locale has.
    pub fn find(name: &'a str) -> Option<Self> {
        let (base, keyword) = match name.split_once('@') {
            None => (name, None),
            Some((base, keyword)) => (base, Some(keyword.strip_prefix("collation=")?)),
        };
        LOCALES.binary_search(&base).ok()?;
        let own = OWN_VARIANTS.iter().find(|(n, _)| *n == base).map_or(&[][..], |(_, list)| list);
        let known = keyword.is_none_or(|v| VARIANTS.contains(&v) || own.contains(&v));
        known.then_some(Self { name: base, variant: keyword })
    }

    /// The variant, if there are no rules for it.
    pub fn without_rules(&self) -> Option<&'a str> {
        self.variant.filter(|v| WITHOUT_RULES.contains(v))
    }

    /// Accents count from the end of a string unless the specification says otherwise.
    pub fn is_backwards(&self) -> bool {
        self.name == "fr_CA"
    }

    /// The locale that differs from this one in the direction of accents only; `None` where there is none.
    pub fn with_backwards(self, backwards: bool) -> Option<Self> {
        if self.is_backwards() == backwards {
            return Some(self);
        }
        let free = ROOT_ORDER.contains(&self.name) && self.variant.is_none();
        free.then_some(Self { name: if backwards { "fr_CA" } else { "fr" }, variant: None })
    }

    /// The BCP 47 tag.
    pub fn tag(&self) -> String {
        let mut tag = self.name.replace('_', "-");
        let variant = match (self.name, self.variant) {
            // What was the standard order of Swedish has become the traditional one since ICU 57.
            ("sv", Some("standard")) => "trad",
            (_, None | Some("standard")) => return tag,
            (_, Some("phonebook")) => "phonebk",
            (_, Some("traditional")) => "trad",
            (_, Some("dictionary")) => "dict",
            (_, Some(other)) => other,
        };
        tag.push_str("-u-co-");
        tag.push_str(variant);
        tag
    }
}

/// The locale that a name which is none comes closest to.
pub fn nearest(name: &str) -> Option<String> {
    let (base, keyword) = name.split_once('@').map_or((name, None), |(b, k)| (b, Some(k)));
    let mut parts: Vec<String> = Vec::new();
    for (i, part) in base.split(['_', '-']).take(4).enumerate() {
        let lower = part.to_ascii_lowercase();
        parts.push(match (i, lower.len()) {
            (0, _) => lower,
            (_, 4) => {
                let (first, rest) = lower.split_at_checked(1).unwrap_or(("", &lower));
                first.to_ascii_uppercase() + rest
            }
            _ => part.to_ascii_uppercase(),
        });
    }
    while !parts.is_empty() {
        let joined = parts.join("_");
        let found = ALIASES.iter().find(|(alias, _)| *alias == joined).map_or(joined.as_str(), |(_, n)| n);
        if Locale::find(found).is_some() {
            let whole = keyword.map(|k| format!("{found}@{k}")).filter(|w| Locale::find(w).is_some());
            return Some(whole.unwrap_or_else(|| found.to_owned()));
        }
        parts.pop();
    }
    None
}

/// The names of all locales.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    LOCALES.iter().copied()
}

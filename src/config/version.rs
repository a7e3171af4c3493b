//! The version of MongoDB whose behaviour is offered.

/// What clients are told, who decide by it which features they use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerVersion {
    /// MongoDB 7.0: drivers do not use the command bulkWrite.
    V7,
    /// MongoDB 8.0.
    V8,
}

impl ServerVersion {
    /// The version as text.
    pub fn text(self) -> &'static str {
        match self {
            Self::V7 => "7.0.28",
            Self::V8 => "8.0.16",
        }
    }

    /// The same in numbers, as `versionArray` has it.
    pub fn numbers(self) -> [i32; 4] {
        match self {
            Self::V7 => [7, 0, 28, 0],
            Self::V8 => [8, 0, 16, 0],
        }
    }

    /// `featureCompatibilityVersion`.
    pub fn feature_compatibility(self) -> &'static str {
        match self {
            Self::V7 => "7.0",
            Self::V8 => "8.0",
        }
    }

    /// `maxWireVersion`, as MongoDB counts it (clients.md 1.4).
    pub fn max_wire(self) -> i32 {
        match self {
            Self::V7 => 21,
            Self::V8 => 25,
        }
    }
}

/// `7.0` or `8.0`.
pub(super) fn server_version(text: &str) -> Result<ServerVersion, super::units::Expected> {
    match text {
        "7.0" => Ok(ServerVersion::V7),
        "8.0" => Ok(ServerVersion::V8),
        _ => Err("expected 7.0 or 8.0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_numbers_agree() {
        for version in [ServerVersion::V7, ServerVersion::V8] {
            let [major, minor, patch, _] = version.numbers();
            assert_eq!(version.text(), format!("{major}.{minor}.{patch}"));
            assert_eq!(version.feature_compatibility(), format!("{major}.{minor}"));
            assert_eq!(server_version(version.feature_compatibility()), Ok(version));
        }
        assert!(server_version("6.0").is_err());
    }
}

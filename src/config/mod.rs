//! cockpit.toml: raw structs, one check that reports every error at once, then `domain::Policy`; trust.

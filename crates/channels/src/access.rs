//! Who may call: partners, their secrets and what each is allowed.

use std::collections::HashMap;
use std::fmt;

use crate::sign_method::SignMethod;

/// A shared secret, which no log or message ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes charge of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A platform's application that calls us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its id in the configuration, stable while keys and secrets change.
    pub id: String,
    /// `app_key` of its calls.
    pub app_key: String,
    /// The live secrets: one, or two while they are rotated.
    pub secrets: Vec<Secret>,
    /// The signature methods it may use.
    pub sign_methods: Vec<SignMethod>,
    /// How far a call's `timestamp` may lie from now, in seconds.
    pub timestamp_window_s: i64,
}

/// All that the channels need to know about callers.
#[derive(Debug, Clone, Default)]
pub struct Access {
    partners: HashMap<String, Partner>,
    methods: HashMap<String, &'static str>,
}

impl Access {
    /// Access for these partners; `methods` maps the method names on the wire to interface names.
    pub fn new(partners: impl IntoIterator<Item = Partner>, methods: HashMap<String, &'static str>) -> Self {
        let partners = partners.into_iter().map(|partner| (partner.app_key.clone(), partner)).collect();
        Self { partners, methods }
    }

    /// The partner with that `app_key`.
    pub fn partner(&self, app_key: &str) -> Option<&Partner> {
        self.partners.get(app_key)
    }

    /// The interface that a method name stands for.
    pub fn interface_of_method(&self, method: &str) -> Option<&'static str> {
        self.methods.get(method).copied()
    }
}

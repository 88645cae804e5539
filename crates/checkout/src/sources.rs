//! The repositories that were named with credentials. What is stored of a repository has no secret in it; whoever reaches
//! one finds its credentials here, by the address that is stored.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Source, SourceError};

/// Sources by their address without secrets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    known: Arc<HashMap<String, Source>>,
}

impl Sources {
    /// Remembers these.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        Self { known: Arc::new(sources.iter().map(|source| (source.to_string(), source.clone())).collect()) }
    }

    /// The source at an address: the one that is remembered, else what the address says.
    ///
    /// # Errors
    /// The address is none, or nothing is there.
    pub fn find(&self, address: &str) -> Result<Source, SourceError> {
        match self.known.get(address) {
            Some(source) => Ok(source.clone()),
            None => Source::parse(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_secret_finds_the_source_that_has_it() {
        let source = Source::parse("https://ann:secret@example.org/app.git").unwrap();
        let address = source.to_string();
        assert!(!address.contains("secret"), "{address}");
        let sources = Sources::of(std::slice::from_ref(&source));
        assert_eq!(sources.find(&address).unwrap(), source);
        assert_ne!(Sources::default().find(&address).unwrap(), source);
    }
}

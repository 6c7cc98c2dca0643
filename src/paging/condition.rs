//! `while`: whether there is a next page.

use super::Paging;
use crate::json::{Kind, Part};
use crate::jsonpath;

impl Paging {
    /// A hint that `while` is misspelt, if a response lacks the name in it and has a very similar one.
    pub(crate) fn misspelt_condition(&self, body: Part<'_>) -> Option<String> {
        let path = self.condition.as_ref()?.path()?;
        let (last, before) = path.singular()?.split_last()?;
        let jsonpath::Step::Name(name) = last else {
            return None;
        };
        let parent = before
            .iter()
            .try_fold(body, |part, step| step.select_in(part))
            .filter(|parent| parent.kind() == Kind::Object)?;
        let keys: Vec<_> = parent.members().map(|(key, _)| key.name()).collect();
        if keys.iter().any(|key| key == name) {
            return None;
        }
        let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
        let alike = keys.iter().find(|key| plain(key) == plain(name));
        let help = match alike {
            Some(key) => format!("did you mean `{key}`?"),
            // Short names resemble many others.
            None if name.len() >= 6 => crate::words::nearest(name, keys.iter().map(|key| &**key))?,
            None => return None,
        };
        let path = path.as_str();
        Some(format!(
            "paging.while: the response has no `{path}`; {help}"
        ))
    }
}

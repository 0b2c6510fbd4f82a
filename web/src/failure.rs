//! Errors for JavaScript: a sentence, and what the page needs to choose its words.

use tessera_core::Error;
use tessera_core::error::Malformed;
use wasm_bindgen::JsValue;

/// An `Error` object with the properties `kind` ('malformed', 'unsupported', 'parameter', 'limit' or 'device') and,
/// for a damaged file, `part` (which part of it, in words) and `offset` (where that part starts, in bytes).
pub(crate) fn failure(error: &Error) -> JsValue {
    let object = js_sys::Error::new(&error.to_string());
    set(&object, "kind", kind(error).into());
    if let Error::Malformed(Malformed { part, offset, .. }) = error {
        set(&object, "part", part.as_str().into());
        #[expect(clippy::cast_precision_loss, reason = "files in a browser are far below 2^53 bytes")]
        set(&object, "offset", (*offset as f64).into());
    }
    object.into()
}

/// The fault's class in the words of the page.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Malformed(_) => "malformed",
        Error::Unsupported(_) => "unsupported",
        Error::Limit(_) => "limit",
        Error::Device(_) => "device",
        _ => "parameter",
    }
}

fn set(object: &js_sys::Error, name: &str, value: JsValue) {
    // Only a frozen object refuses a property, and this one is new.
    let _ = js_sys::Reflect::set(object, &name.into(), &value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_word() {
        assert_eq!(kind(&Error::malformed("header", 8, "short")), "malformed");
        assert_eq!(kind(&Error::parameter("no")), "parameter");
        assert_eq!(kind(&Error::Device("lost".into())), "device");
    }
}

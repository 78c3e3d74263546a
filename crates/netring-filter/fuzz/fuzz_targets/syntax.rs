//! Any text as an expression, for the lexer and the parser: an error's place is inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netring_filter::check_syntax;

fuzz_target!(|text: &str| {
    if let Err(error) = check_syntax(text) {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error}");
        assert!(text.get(error.span.clone()).is_some(), "{error}");
    }
});

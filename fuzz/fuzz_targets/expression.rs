//! Any text is an expression or a mistake with its place; what is one has a value or an error, and so has a text with
//! expressions in it.
#![no_main]

use branchline_expression::{Expression, Standing, Template, Values, decide, evaluate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let values = Values::new().standing(Standing::Succeeding);
    if let Ok(expression) = Expression::parse(text) {
        let _ = evaluate(&expression, &values);
        let _ = decide(&expression, &values);
    }
    if let Ok(template) = Template::parse(text) {
        let _ = template.render(&values);
    }
});

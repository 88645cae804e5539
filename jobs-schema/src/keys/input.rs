//! An input of a pipeline.

use super::{Level, foreign, key};
use crate::shape::{BOOLEAN, List, Scalar, Shape, TEXT, Word};

const TYPES: [Word; 7] = [
    Word { word: "string", about: "A line." },
    Word { word: "text", about: "A text of any number of lines." },
    Word { word: "number", about: "A number." },
    Word { word: "boolean", about: "`true` or `false`." },
    Word { word: "choice", about: "One of `options`." },
    Word { word: "choices", about: "Any of `options`." },
    Word { word: "password", about: "A line that is never shown." },
];

pub(crate) const INPUT: Level = Level {
    place: "an input",
    about: "What somebody who starts a build may say.",
    keys: &[
        key(
            "type",
            &Shape::scalar(
                "`string`, `text`, `number`, `boolean`, `choice`, `choices` or `password`",
                Scalar::Word(&TYPES),
            ),
            "What it takes.",
        )
        .default("string")
        .example("choice"),
        key(
            "default",
            &Shape::list("a value, for `choices` a list", List::of("a text", &TEXT).or_empty())
                .or_scalar(Scalar::Text),
            "What it is where nobody says; without one it is null.",
        )
        .example("staging"),
        key("options", &Shape::list("a list of texts", List::of("an option", &TEXT)), "What may be chosen.")
            .example("[staging, production]"),
        key("pattern", &TEXT, "A regular expression that a string, a text or a password must match.")
            .example("\"^v\\\\d+\""),
        key(
            "required",
            &BOOLEAN,
            "It must be given by manual, API and schedule starts; elsewhere it is null.",
        )
        .default("false")
        .example("true"),
        key("description", &TEXT, "What it is for.").example("Where to"),
    ],
    foreign: &[
        foreign("choices", "options", "write `options`"),
        foreign("enum", "options", "write `type: choice` and `options`"),
        foreign("values", "options", "write `options`"),
        foreign("label", "description", "write `description`"),
    ],
};

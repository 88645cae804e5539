//! How text looks, as "Select Graphic Rendition" says (ECMA-48, 8.3.117, and xterm's colours). Invariant: a style can be
//! written as the parameters that bring it about, and read back; looks are classes, never style attributes, because
//! pages allow none. A 24-bit colour becomes the nearest of the 256.

use std::fmt::Write;

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    bold: bool,
    faint: bool,
    italic: bool,
    underlined: bool,
    struck: bool,
    inverse: bool,
    foreground: Option<u8>,
    background: Option<u8>,
}

impl Style {
    /// Follows one sequence's parameters; unknown ones are passed over.
    pub(crate) fn follow(&mut self, parameters: &str) {
        let mut rest = parameters.split(';');
        while let Some(parameter) = rest.next() {
            let (code, sub) =
                parameter.split_once(':').map_or((parameter, None), |(code, sub)| (code, Some(sub)));
            let Ok(code) = (if code.is_empty() { Ok(0) } else { code.parse::<u16>() }) else { continue };
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 => self.underlined = sub != Some("0"),
                7 => self.inverse = true,
                9 => self.struck = true,
                21 => self.underlined = true,
                22 => (self.bold, self.faint) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                27 => self.inverse = false,
                29 => self.struck = false,
                30..=37 => self.foreground = basic(code - 30),
                38 => self.foreground = extended(sub, &mut rest).or(self.foreground),
                39 => self.foreground = None,
                40..=47 => self.background = basic(code - 40),
                48 => self.background = extended(sub, &mut rest).or(self.background),
                49 => self.background = None,
                90..=97 => self.foreground = basic(code - 90 + 8),
                100..=107 => self.background = basic(code - 100 + 8),
                _ => {}
            }
        }
    }

    /// The parameters that bring it about.
    pub(crate) fn parameters(self) -> String {
        let mut parameters = String::new();
        let mut add = |on: bool, code: &str| {
            if on {
                parameters.push_str(if parameters.is_empty() { "" } else { ";" });
                parameters.push_str(code);
            }
        };
        add(self.bold, "1");
        add(self.faint, "2");
        add(self.italic, "3");
        add(self.underlined, "4");
        add(self.inverse, "7");
        add(self.struck, "9");
        add(self.foreground.is_some(), &format!("38;5;{}", self.foreground.unwrap_or_default()));
        add(self.background.is_some(), &format!("48;5;{}", self.background.unwrap_or_default()));
        parameters
    }

    /// Writes text that looks so. Only here does text of a log become HTML.
    pub(crate) fn write(self, text: &str, html: &mut String) {
        if text.is_empty() {
            return;
        }
        let plain = self == Self::default();
        if !plain {
            html.push_str("<span class=\"");
            let start = html.len();
            let mut class = |on: bool, name: &str| {
                if on {
                    html.push_str(if html.len() == start { "" } else { " " });
                    html.push_str(name);
                }
            };
            class(self.bold, "tb");
            class(self.faint, "tf");
            class(self.italic, "ti");
            class(self.underlined, "tu");
            class(self.struck, "ts");
            class(self.inverse, "tv");
            if let Some(colour) = self.foreground {
                class(true, &format!("f{colour}"));
            }
            if let Some(colour) = self.background {
                class(true, &format!("g{colour}"));
            }
            html.push_str("\">");
        }
        escape(text, html);
        if !plain {
            html.push_str("</span>");
        }
    }
}

/// Text as HTML text, or as a quoted attribute's value.
pub(crate) fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
}

fn basic(code: u16) -> Option<u8> {
    u8::try_from(code).ok()
}

/// What follows 38 and 48: `5;n` or `2;r;g;b`, with `;` or with `:` (then with a colour space before r).
fn extended<'a>(sub: Option<&str>, rest: &mut impl Iterator<Item = &'a str>) -> Option<u8> {
    match sub {
        Some(sub) => {
            let numbers: Vec<&str> = sub.split(':').collect();
            match numbers.as_slice() {
                ["5", colour] => colour.parse().ok(),
                ["2", r, g, b] | ["2", _, r, g, b, ..] => {
                    Some(nearest(r.parse().ok()?, g.parse().ok()?, b.parse().ok()?))
                }
                _ => None,
            }
        }
        None => match rest.next()? {
            "5" => rest.next()?.parse().ok(),
            "2" => {
                let (r, g, b) = (rest.next()?, rest.next()?, rest.next()?);
                Some(nearest(r.parse().ok()?, g.parse().ok()?, b.parse().ok()?))
            }
            _ => None,
        },
    }
}

const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The red, green and blue of a colour from 16 on: a cube of 6×6×6, then 24 greys.
pub(crate) fn components(colour: u8) -> [u8; 3] {
    if let Some(grey) = colour.checked_sub(232) {
        return [8 + grey * 10; 3];
    }
    let index = usize::from(colour.saturating_sub(16));
    [STEPS[index / 36 % 6], STEPS[index / 6 % 6], STEPS[index % 6]]
}

fn nearest(r: u8, g: u8, b: u8) -> u8 {
    let distance = |colour: u8| -> u32 {
        let [x, y, z] = components(colour);
        [(x, r), (y, g), (z, b)].map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).iter().sum()
    };
    (16..=255).min_by_key(|colour| distance(*colour)).unwrap_or(16)
}

/// The style sheet's part for colours 16 to 255; the first 16 follow the page's own palette.
pub(crate) fn palette() -> String {
    (16..=255).fold(String::new(), |mut css, colour| {
        let [r, g, b] = components(colour);
        let _ = write!(css, ".f{colour}{{color:rgb({r},{g},{b})}}.g{colour}{{background:rgb({r},{g},{b})}}");
        css
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequences: &[&str]) -> Style {
        let mut style = Style::default();
        for sequence in sequences {
            style.follow(sequence);
        }
        style
    }

    #[test]
    fn a_style_is_read_back_from_the_parameters_it_is_written_as() {
        for parameters in ["", "1", "1;4;38;5;9", "2;3;7;9;38;5;200;48;5;17"] {
            assert_eq!(after(&[parameters]).parameters(), parameters);
        }
    }

    #[test]
    fn every_way_to_name_a_colour_is_understood() {
        assert_eq!(after(&["31"]), after(&["38;5;1"]));
        assert_eq!(after(&["91"]), after(&["38;5;9"]));
        assert_eq!(after(&["38;2;255;0;0"]), after(&["38;5;196"]));
        assert_eq!(after(&["38:2::255:0:0"]), after(&["38;5;196"]));
        assert_eq!(after(&["38:5:196"]), after(&["38;5;196"]));
        assert_eq!(after(&["48;2;8;8;8"]), after(&["48;5;232"]));
    }

    #[test]
    fn what_is_turned_on_is_turned_off_and_an_empty_sequence_turns_all_off() {
        assert_eq!(after(&["1;2;3;4;7;9;31;41", "22;23;24;27;29;39;49"]), Style::default());
        assert_eq!(after(&["1;31", ""]), Style::default());
        assert_eq!(after(&["4", "4:0"]), Style::default());
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(after(&["999;38;5", "38;2;1", "48;9", "x;1", "38;5;256"]).parameters(), "1");
    }

    #[test]
    fn the_palette_has_the_corners_of_the_cube_and_the_greys() {
        assert_eq!((components(16), components(231)), ([0; 3], [255; 3]));
        assert_eq!((components(232), components(255)), ([8; 3], [238; 3]));
        assert!(palette().contains(".f196{color:rgb(255,0,0)}"));
    }
}

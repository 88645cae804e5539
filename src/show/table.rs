//! Tables in plain text: columns as wide as their widest cell, the last one free.

/// Rows of cells under a head.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<(String, usize)>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(head.iter().map(|cell| (*cell).to_owned()).collect());
        table
    }

    /// Adds a row. Colour in a cell takes no room.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| {
                    let width = width(&cell);
                    (cell, width)
                })
                .collect(),
        );
    }

    /// The table as text, each line ended.
    #[must_use]
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.1).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, cell_width)) in row.iter().enumerate() {
                line.push_str(cell);
                if column + 1 < row.len() {
                    line.extend(std::iter::repeat_n(' ', widths[column] - cell_width + 2));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// How many characters are seen: escape sequences for colour are not.
fn width(text: &str) -> usize {
    let mut width = 0;
    let mut in_escape = false;
    for character in text.chars() {
        match character {
            '\u{1b}' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if in_escape => {}
            _ => width += 1,
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_with_and_without_colour() {
        let mut table = Table::new(&["JOB", "STATE", "WHY"]);
        table.row(vec!["test".into(), "\u{1b}[32mpassed\u{1b}[0m".into(), String::new()]);
        table.row(vec!["a-long-name".into(), "skipped".into(), "needs".into()]);
        assert_eq!(
            table.render(),
            "JOB          STATE    WHY\ntest         \u{1b}[32mpassed\u{1b}[0m\na-long-name  skipped  needs\n"
        );
    }
}

//! The needs graph as a drawing: columns by depth, what is needed on the left. Invariant: it ends and is bounded whatever
//! the needs say; more jobs than can be read as a drawing get none.

use std::collections::HashMap;

/// More jobs are not drawn.
pub(crate) const MOST_JOBS: usize = 60;

const WIDTH: usize = 208;
const HEIGHT: usize = 40;
const GAP_X: usize = 56;
const GAP_Y: usize = 14;
const MARGIN: usize = 4;
/// So many letters of a name fit.
const LETTERS: usize = 19;

/// A drawing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<String>,
}

/// Where a job stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Which job, from 0.
    pub(crate) job: usize,
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) label: String,
}

impl Node {
    /// The size of every node.
    pub(crate) fn size(&self) -> (usize, usize) {
        (WIDTH, HEIGHT)
    }
}

/// Lays jobs out, each with the names that it needs; `None` where there are too many, or nothing to draw.
pub(crate) fn lay_out(jobs: &[(&str, Vec<&str>)]) -> Option<Graph> {
    if jobs.is_empty() || jobs.len() > MOST_JOBS {
        return None;
    }
    let index: HashMap<&str, usize> = jobs.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let needs: Vec<Vec<usize>> = jobs
        .iter()
        .map(|(_, needs)| needs.iter().filter_map(|name| index.get(name).copied()).collect())
        .collect();
    let depths = depths(&needs);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); depths.iter().max().map_or(0, |deepest| deepest + 1)];
    for (job, depth) in depths.iter().enumerate() {
        if let Some(column) = columns.get_mut(*depth) {
            column.push(job);
        }
    }
    let mut rows = vec![0usize; jobs.len()];
    for column in &mut columns {
        // Near what it needs, so that lines cross less; those with the same needs stay in the file's order.
        column.sort_by_key(|job| {
            let needed = needs.get(*job).map_or(&[][..], Vec::as_slice);
            let sum: usize = needed.iter().filter_map(|need| rows.get(*need)).sum();
            (sum * 1000 / needed.len().max(1), *job)
        });
        for (row, job) in column.iter().enumerate() {
            if let Some(place) = rows.get_mut(*job) {
                *place = row;
            }
        }
    }
    let place = |job: usize| {
        let (depth, row) = (depths.get(job).copied().unwrap_or(0), rows.get(job).copied().unwrap_or(0));
        (MARGIN + depth * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y))
    };
    let nodes = jobs.iter().enumerate().map(|(job, (name, _))| {
        let (x, y) = place(job);
        Node { job, x, y, label: shortened(name) }
    });
    let edges = needs.iter().enumerate().flat_map(|(job, needed)| {
        needed.iter().map(move |need| {
            let ((from_x, from_y), (to_x, to_y)) = (place(*need), place(job));
            let (from_x, from_y, to_y) = (from_x + WIDTH, from_y + HEIGHT / 2, to_y + HEIGHT / 2);
            let bend = GAP_X / 2;
            format!(
                "M{from_x} {from_y}C{} {from_y} {} {to_y} {to_x} {to_y}",
                from_x + bend,
                to_x.saturating_sub(bend)
            )
        })
    });
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    Some(Graph {
        width: 2 * MARGIN + columns.len() * (WIDTH + GAP_X) - GAP_X,
        height: 2 * MARGIN + tallest * (HEIGHT + GAP_Y) - GAP_Y,
        nodes: nodes.collect(),
        edges: edges.collect(),
    })
}

/// One more than the deepest of what is needed. A cycle, which no checked file has, ends at the number of jobs.
fn depths(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut depths = vec![0usize; needs.len()];
    for _ in 0..needs.len() {
        let deeper: Vec<usize> = needs
            .iter()
            .map(|needed| {
                let deepest = needed.iter().filter_map(|need| depths.get(*need)).max();
                deepest.map_or(0, |depth| (depth + 1).min(needs.len() - 1))
            })
            .collect();
        if deeper == depths {
            break;
        }
        depths = deeper;
    }
    depths
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        name.to_owned()
    } else {
        name.chars().take(LETTERS - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(graph: &Graph) -> Vec<(usize, usize)> {
        graph.nodes.iter().map(|node| (node.x / (WIDTH + GAP_X), node.y / (HEIGHT + GAP_Y))).collect()
    }

    #[test]
    fn a_job_stands_right_of_all_that_it_needs() {
        let graph = lay_out(&[
            ("lint", vec![]),
            ("build", vec![]),
            ("test", vec!["build"]),
            ("ship", vec!["lint", "test"]),
        ]);
        let graph = graph.unwrap();
        assert_eq!(columns(&graph), [(0, 0), (0, 1), (1, 0), (2, 0)]);
        assert_eq!(graph.edges.len(), 3);
    }

    #[test]
    fn a_cycle_and_an_unknown_need_end_all_the_same() {
        let graph = lay_out(&[("a", vec!["b"]), ("b", vec!["a"]), ("c", vec!["nobody"])]).unwrap();
        assert!(graph.width < 3 * (WIDTH + GAP_X) + 2 * MARGIN);
    }

    #[test]
    fn too_many_jobs_are_not_drawn_and_long_names_are_shortened() {
        let names: Vec<String> =
            (0..=MOST_JOBS).map(|number| format!("a-job-with-a-very-long-name-{number}")).collect();
        let jobs: Vec<(&str, Vec<&str>)> = names.iter().map(|name| (name.as_str(), vec![])).collect();
        assert_eq!(lay_out(&jobs), None);
        let graph = lay_out(&jobs[..MOST_JOBS]).unwrap();
        assert_eq!(graph.nodes[0].label, "a-job-with-a-very-…");
    }
}

//! How the schemas of a document refer to each other: which are part of a cycle, and how large each is with all its
//! references written out.

use std::collections::HashMap;

use serde_json::Value;

use super::spec::Spec;

/// The size of each schema that something refers to, by its pointer.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    known: HashMap<String, Size>,
}

/// How large a schema is with all its references written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// It refers to itself, directly or through others.
    Endless,
    /// The number of its JSON values.
    Values(usize),
}

impl Graph {
    /// Collects the references of the whole document.
    pub(crate) fn new(spec: &Spec) -> Graph {
        let mut nodes: Vec<Node> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut found = references(spec.root().value).0;
        // Every target of a reference is a node; the references inside it are its edges.
        while let Some(reference) = found.pop() {
            let Ok(target) = spec.lookup(&reference) else {
                continue;
            };
            if index.contains_key(&target.pointer) {
                continue;
            }
            let (edges, values) = references(target.value);
            found.extend(edges.iter().cloned());
            index.insert(target.pointer.clone(), nodes.len());
            nodes.push(Node {
                pointer: target.pointer,
                edges,
                values,
            });
        }
        let edges: Vec<Vec<usize>> = nodes
            .iter()
            .map(|node| {
                let targets = node.edges.iter().filter_map(|edge| spec.lookup(edge).ok());
                targets
                    .filter_map(|target| index.get(&target.pointer).copied())
                    .collect()
            })
            .collect();
        let sizes = sizes(&nodes, &edges);
        let known = nodes
            .into_iter()
            .zip(sizes)
            .map(|(node, size)| (node.pointer, size))
            .collect();
        Graph { known }
    }

    /// The size of the schema at a pointer.
    pub(crate) fn size(&self, pointer: &str) -> Size {
        self.known
            .get(pointer)
            .copied()
            .unwrap_or(Size::Values(usize::MAX))
    }
}

struct Node {
    pointer: String,
    edges: Vec<String>,
    values: usize,
}

/// All references inside a value, and how many values it has.
pub(crate) fn references(value: &Value) -> (Vec<String>, usize) {
    let (mut found, mut count) = (Vec::new(), 0);
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        count += 1;
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                open.extend(members.values());
            }
            _ => {}
        }
    }
    (found, count)
}

/// The size of each node, by Tarjan's algorithm for strongly connected components: it finishes a node after all that it
/// refers to, and finds cycles. It does not recurse, because a chain of references may be as long as the document.
fn sizes(nodes: &[Node], edges: &[Vec<usize>]) -> Vec<Size> {
    const UNSEEN: usize = usize::MAX;
    let count = nodes.len();
    let mut order = vec![UNSEEN; count];
    let mut low = vec![0; count];
    let mut is_open = vec![false; count];
    let mut sizes = vec![Size::Values(0); count];
    let (mut stack, mut next) = (Vec::new(), 0);
    for start in 0..count {
        if order[start] != UNSEEN {
            continue;
        }
        // The path to the current node; with each node, its next edge.
        let mut way = vec![(start, 0)];
        while let Some((node, edge)) = way.pop() {
            if edge == 0 {
                (order[node], low[node]) = (next, next);
                next += 1;
                stack.push(node);
                is_open[node] = true;
            }
            if let Some(&target) = edges[node].get(edge) {
                way.push((node, edge + 1));
                if order[target] == UNSEEN {
                    way.push((target, 0));
                } else if is_open[target] {
                    low[node] = low[node].min(order[target]);
                }
                continue;
            }
            if let Some(&(parent, _)) = way.last() {
                low[parent] = low[parent].min(low[node]);
            }
            if low[node] != order[node] {
                continue;
            }
            let at = stack.iter().rposition(|one| *one == node).unwrap_or(0);
            let circle = stack.split_off(at);
            let is_circle = circle.len() > 1 || edges[node].contains(&node);
            for &one in &circle {
                is_open[one] = false;
                sizes[one] = match is_circle {
                    true => Size::Endless,
                    false => written_out(nodes[one].values, &edges[one], &sizes),
                };
            }
        }
    }
    sizes
}

fn written_out(own: usize, edges: &[usize], sizes: &[Size]) -> Size {
    let total = edges
        .iter()
        .try_fold(own, |total, &edge| match sizes[edge] {
            Size::Values(values) => Some(total.saturating_add(values)),
            Size::Endless => None,
        });
    // A schema that only refers to a cycle still counts with the cycle's size, which has no end.
    total.map_or(Size::Values(usize::MAX), Size::Values)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn circles_and_sizes() {
        let reference = |name: &str| json!({"$ref": format!("#/s/{name}")});
        let spec = Spec::new(json!({
            "openapi": "3.0.0",
            "root": [reference("a"), reference("tree"), reference("even"), reference("user"), reference("missing")],
            "s": {
                "a": {"x": [reference("b"), reference("b")]},
                "b": {"type": "string"},
                "tree": {"items": reference("tree")},
                "even": {"x": reference("odd")}, "odd": {"x": reference("even")},
                "user": {"x": reference("tree")},
            },
        }))
        .unwrap();
        let graph = Graph::new(&spec);
        for (name, size) in [
            ("b", Size::Values(2)),
            ("a", Size::Values(10)),
            ("tree", Size::Endless),
            ("even", Size::Endless),
            ("odd", Size::Endless),
            ("user", Size::Values(usize::MAX)),
            ("missing", Size::Values(usize::MAX)),
        ] {
            assert_eq!(graph.size(&format!("/s/{name}")), size, "{name}");
        }
    }

    #[test]
    fn long_chains_and_wide_trees_end() {
        let mut schemas = Map::new();
        for i in 0..50_000 {
            let next = json!({"$ref": format!("#/s/{}", i + 1)});
            schemas.insert(i.to_string(), json!({ "a": next, "b": next }));
        }
        schemas.insert("50000".into(), json!({}));
        let spec = json!({"openapi": "3.0.0", "root": {"$ref": "#/s/0"}, "s": schemas});
        let graph = Graph::new(&Spec::new(spec).unwrap());
        assert_eq!(graph.size("/s/0"), Size::Values(usize::MAX));
        assert_eq!(graph.size("/s/50000"), Size::Values(1));
    }
}

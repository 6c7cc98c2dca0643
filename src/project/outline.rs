//! The outline of an output: what is known about its shape before any response, as a JSON Schema.

use serde_json::{Map, Value, json};

use super::{Node, Projection};

impl Projection {
    /// A JSON Schema that every output conforms to; `None` where the output is the whole body, whose shape is not known.
    pub(crate) fn outline(&self) -> Option<Value> {
        self.output.as_ref().map(|output| outline(output.node()))
    }
}

fn outline(node: &Node) -> Value {
    match node {
        Node::Map(members) => {
            let members = members.iter();
            object(members.map(|member| (member.key.clone(), outline(&member.node))))
        }
        Node::Each { node, .. } => array(outline(node.node())),
        Node::Zip(zip) => array(match zip.row() {
            Some(row) => outline(row.node()),
            None => object(zip.keys().into_iter().map(|key| (key, json!({})))),
        }),
        Node::Path(pick) if !pick.path.is_singular() => array(json!({})),
        Node::List(_) => array(json!({})),
        // A path that leads nowhere gives null, and an expression may leave its key out.
        Node::Path(_) | Node::Template(_) | Node::Literal(_) => json!({}),
    }
}

fn object(members: impl Iterator<Item = (String, Value)>) -> Value {
    json!({ "type": "object", "properties": Map::from_iter(members) })
}

fn array(items: Value) -> Value {
    let mut schema = json!({ "type": "array" });
    if items != json!({}) {
        schema["items"] = items;
    }
    schema
}

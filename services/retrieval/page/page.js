/** The page: all its parts, put together. A part is a module; what they tell each other is in happenings.js. */

import * as address from "./address.js";
import * as answers from "./answers.js";
import * as chips from "./chips.js";
import * as editing from "./editing.js";
import * as examples from "./examples.js";
import * as form from "./form.js";
import * as generations from "./generations.js";
import * as item from "./item.js";
import * as labels from "./labels.js";
import * as map from "./map.js";
import * as panels from "./panels.js";
import * as rights from "./rights.js";
import * as searching from "./searching.js";
import * as served from "./served.js";
import * as tree from "./tree.js";
import * as upload from "./upload.js";

const PANELS = [map.panel, upload.panel, generations.panel]; // see panels.js

for (const part of [form, chips, tree, searching, answers, examples, item, labels, editing, map]) part.start();
panels.start(PANELS);
rights.start();
served.start();
address.start(); // the state is told, and what it asks for is done

/** The page: all its parts, put together. A part is a module; what they tell each other is in happenings.js. */

import * as address from "./address.js";
import * as answers from "./answers.js";
import * as chips from "./chips.js";
import * as examples from "./examples.js";
import * as form from "./form.js";
import * as item from "./item.js";
import * as panels from "./panels.js";
import * as searching from "./searching.js";
import * as served from "./served.js";
import * as tree from "./tree.js";

const PANELS = []; // see panels.js

for (const part of [form, chips, tree, searching, answers, examples, item]) part.start();
panels.start(PANELS);
served.start();
address.start(); // the state is told, and what it asks for is done

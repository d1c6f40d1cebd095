// Reads objects as a JSON list on stdin, and writes what the operator's validators say of each: null, or a sentence.
import { readFileSync } from "node:fs";
import * as kinds from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const verdicts = JSON.parse(readFileSync(0, "utf8")).map((object) => {
  try {
    new kinds[object.kind](object).validate();
    return null;
  } catch (error) {
    return String(error.message ?? error);
  }
});
process.stdout.write(JSON.stringify(verdicts));

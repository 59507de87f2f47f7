// Second opinions on FHIR resources. In: {"schemas": [...], "resources": [...]} on stdin.
// Out: one verdict a resource: {"ajv": true|false, "fhir": [messages of severity error or fatal]}.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fhirPackage from "fhir";

const { schemas, resources } = JSON.parse(readFileSync(0, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: true });
addFormats(ajv);
for (const schema of schemas) ajv.addSchema(schema);
const fhir = new fhirPackage.Fhir();

const verdicts = resources.map((resource) => {
  const check = ajv.getSchema(`https://gateway.example/fhir/r4/strict/${resource.resourceType}`);
  const said = fhir.validate(resource, { errorOnUnexpected: true });
  const errors = said.messages.filter((m) => m.severity === "error" || m.severity === "fatal");
  return {
    ajv: check ? Boolean(check(resource)) : null,
    fhir: errors.map((m) => `${m.location}: ${m.message}`),
  };
});
process.stdout.write(JSON.stringify(verdicts));

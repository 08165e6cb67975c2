// Shows the API's description, /openapi.json. A file of its own, since the policy allows no inline code.
// The URL is relative, so that the page also works below a proxy's path; nothing is sent to a validator.

/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
});

// Shows the interface's description, /openapi.json. A file of its own because the page's policy allows no inline code.
// The address is relative, so that the page also works below a path of a proxy; nothing is sent to a validator.

/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
});

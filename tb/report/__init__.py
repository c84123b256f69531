"""report.html: what one run did, in a page that needs nothing beside itself."""

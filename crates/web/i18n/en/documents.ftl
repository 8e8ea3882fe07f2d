failure-title-no-pdf = No PDF at the moment
failure-no-pdf = This server has no font to make a PDF with; the operator is told. The page says the same, and your browser can print it or save it as PDF.
failure-way-page = Open the page

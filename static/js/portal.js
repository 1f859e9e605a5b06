"use strict";
// Niceties on top of pages that work without any of this.

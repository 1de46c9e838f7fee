/* SPDX-License-Identifier: MIT */
/* The style sheet of bench_report_html(), which stands in the page itself. */
#ifndef GUESTSYNC_BENCH_HTML_STYLE_H
#define GUESTSYNC_BENCH_HTML_STYLE_H

extern const char bench_html_style[];

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A small volume renderer: rays are sent through a cloud, which turns from frame
 * to frame, and pick up light. Each frame is lit so that the brightest pixel of
 * the frame before would have been white, so no row of a frame can be drawn
 * right before all rows of the one before are done.
 */
#ifndef BARRIER_RENDER_RENDER_H
#define BARRIER_RENDER_RENDER_H

#include <stdint.h>

#define RENDER_SIDE 128u   /* pixels */
#define RENDER_VOLUME 64u /* cells */

struct scene {
	uint8_t density[RENDER_VOLUME][RENDER_VOLUME][RENDER_VOLUME];
	uint16_t frames[2][RENDER_SIDE][RENDER_SIDE]; /* the one that is drawn, and the one before, by turns */
};

/* Makes the cloud, and a grey frame to begin with. */
void scene_make(struct scene *scene);

/* Draws that FRAME's rows FIRST, FIRST + STEP, …; all of the frame before must be there. */
void scene_render(struct scene *scene, unsigned frame, unsigned first, unsigned step);

/* Of the whole FRAME: equal frames have equal sums. */
uint64_t scene_checksum(const struct scene *scene, unsigned frame);

#endif

/* SPDX-License-Identifier: MIT */
#include "render.h"

#include <math.h>
#include <string.h>

#define TURN_PER_FRAME 0.05 /* radians */
#define WHITE 60000u
#define GREY 1000u

static const struct {
	float x, y, z, radius;
} blobs[] = {
	{ 0.40f, 0.45f, 0.50f, 0.30f },
	{ 0.65f, 0.40f, 0.35f, 0.18f },
	{ 0.55f, 0.70f, 0.60f, 0.22f },
};

static uint8_t density_at(float x, float y, float z)
{
	float sum = 0;

	for (unsigned i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		float dx = x - blobs[i].x, dy = y - blobs[i].y, dz = z - blobs[i].z;
		float distance = sqrtf(dx * dx + dy * dy + dz * dz) / blobs[i].radius;

		if (distance < 1)
			sum += (1 - distance) * 255;
	}
	return (uint8_t)(sum > 255 ? 255 : sum);
}

void scene_make(struct scene *scene)
{
	const float cell = 1.0f / RENDER_VOLUME;

	for (unsigned z = 0; z < RENDER_VOLUME; z++)
		for (unsigned y = 0; y < RENDER_VOLUME; y++)
			for (unsigned x = 0; x < RENDER_VOLUME; x++)
				scene->density[z][y][x] = density_at((float)x * cell, (float)y * cell, (float)z * cell);
	memset(scene->frames, 0, sizeof(scene->frames));
	for (unsigned y = 0; y < RENDER_SIDE; y++)
		for (unsigned x = 0; x < RENDER_SIDE; x++)
			scene->frames[1][y][x] = GREY; /* what stands before frame 0 */
}

/* What a ray collects that enters at pixel X, Y and goes straight through the cloud, turned by an angle. */
static uint32_t cast_ray(const struct scene *scene, unsigned x, unsigned y, float sine, float cosine)
{
	const float middle = RENDER_VOLUME / 2.0f;
	float across = (float)x * RENDER_VOLUME / RENDER_SIDE - middle;
	unsigned row = y * RENDER_VOLUME / RENDER_SIDE;
	uint32_t sum = 0;

	for (unsigned step = 0; step < RENDER_VOLUME; step++) {
		float along = (float)step - middle;
		float vx = across * cosine - along * sine + middle;
		float vz = across * sine + along * cosine + middle;

		if (vx >= 0 && vx < RENDER_VOLUME && vz >= 0 && vz < RENDER_VOLUME)
			sum += scene->density[(unsigned)vz][row][(unsigned)vx];
	}
	return sum;
}

static uint32_t brightest(const uint16_t frame[RENDER_SIDE][RENDER_SIDE])
{
	uint32_t most = 1;

	for (unsigned y = 0; y < RENDER_SIDE; y++)
		for (unsigned x = 0; x < RENDER_SIDE; x++)
			if (frame[y][x] > most)
				most = frame[y][x];
	return most;
}

void scene_render(struct scene *scene, unsigned frame, unsigned first, unsigned step)
{
	uint16_t(*to)[RENDER_SIDE] = scene->frames[frame % 2];
	uint32_t before = brightest(scene->frames[(frame + 1) % 2]);
	float sine = (float)sin(frame * TURN_PER_FRAME), cosine = (float)cos(frame * TURN_PER_FRAME);

	for (unsigned y = first; y < RENDER_SIDE; y += step)
		for (unsigned x = 0; x < RENDER_SIDE; x++) {
			uint32_t light = cast_ray(scene, x, y, sine, cosine) * (WHITE / 256) / before + 1;

			to[y][x] = (uint16_t)(light < WHITE ? light : WHITE);
		}
}

uint64_t scene_checksum(const struct scene *scene, unsigned frame)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (unsigned y = 0; y < RENDER_SIDE; y++)
		for (unsigned x = 0; x < RENDER_SIDE; x++)
			sum = (sum ^ scene->frames[frame % 2][y][x]) * UINT64_C(1099511628211);
	return sum;
}

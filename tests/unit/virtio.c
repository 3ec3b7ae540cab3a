// SPDX-License-Identifier: GPL-2.0
/*
 * The registers: a driver that does all in order, one that does not, and one
 * that works while the I/O thread serves it.
 *
 * Uses: ring.c request.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#include <sched.h>

#include "driver.h"

#define SIZE		16
#define FEATURE		(1ULL << 5)
#define VERSION_1	(1ULL << VIRTIO_F_VERSION_1)
#define ROUNDS		20000

static struct device *device;
static uint32_t registers[2] = { 0x11111111, 0x22222222 };
static unsigned int resets, served[2];
static uint32_t written;

/* Echo: what can be read of a request is written to the rest of it. */
static void serve(struct device *d, unsigned int queue)
{
	static struct request request;

	while (next_request(d, queue, &request)) {
		uint32_t word = 0;

		request_read(&request, &word, sizeof(word));
		request_write(&request, &word, sizeof(word));
		finish_request(d, queue, &request, sizeof(word));
		served[queue]++;
	}
	signal_queue(d, queue);
}

static void reset(struct device *d)
{
	(void)d;
	resets++;
}

static void write_config(struct device *d, unsigned int offset,
			 unsigned int size, uint32_t value)
{
	(void)d;
	written = offset << 24 | size << 16 | (value & 0xffff);
}

static uint32_t get(uint32_t reg, unsigned int size)
{
	return virtio_read(device, reg, size);
}

static void put(uint32_t reg, unsigned int size, uint32_t value)
{
	virtio_write(device, reg, size, value);
}

static void test_negotiation(void)
{
	set_status(device, 0);
	ok(status_of(device) == 0 && get(VIRTIO_PCI_COMMON_NUMQ, 2) == 2,
	   "a new device, with two queues");
	put(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	ok(get(VIRTIO_PCI_COMMON_DF, 4) == FEATURE, "features 0 to 31");
	put(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	ok(get(VIRTIO_PCI_COMMON_DF, 4) == VERSION_1 >> 32, "32 to 63");
	put(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	ok(get(VIRTIO_PCI_COMMON_DF, 4) == 0, "and there are no more");
	negotiate(device, FEATURE);
	ok(status_of(device) == 11 && device->accepted ==
	   (FEATURE | VERSION_1), "all of them are accepted");
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	ok(get(VIRTIO_PCI_COMMON_GF, 4) == FEATURE, "and read back");
	ok(get(VIRTIO_PCI_COMMON_MSIX, 2) == 0xffff &&
	   get(VIRTIO_PCI_COMMON_Q_MSIX, 2) == 0xffff, "there is no MSI");
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	ok(get(VIRTIO_PCI_COMMON_Q_SIZE, 2) == 0, "there is no queue 2");
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	ok(get(VIRTIO_PCI_COMMON_Q_SIZE, 2) == QUEUE_SIZE_MAX &&
	   get(VIRTIO_PCI_COMMON_Q_ENABLE, 2) == 0 &&
	   get(VIRTIO_PCI_COMMON_Q_NOFF, 2) == 0, "there is a queue 1");
	set_up_queue(device, 1, SIZE);
	ok(get(VIRTIO_PCI_COMMON_Q_SIZE, 2) == SIZE &&
	   get(VIRTIO_PCI_COMMON_Q_ENABLE, 2) == 1 &&
	   get(VIRTIO_PCI_COMMON_Q_DESCLO, 4) == DESC + QUEUE_STRIDE &&
	   get(VIRTIO_PCI_COMMON_Q_AVAILLO, 4) == AVAIL + QUEUE_STRIDE &&
	   get(VIRTIO_PCI_COMMON_Q_USEDLO, 4) == USED + QUEUE_STRIDE &&
	   get(VIRTIO_PCI_COMMON_Q_USEDHI, 4) == 0,
	   "which is set up, and reads back");
	ok(!device_ready(device), "it is not ready before the driver is");
	set_status(device, 15);
	ok(status_of(device) == 15 && device_ready(device), "now both are");
}

static void test_old_driver(void)
{
	set_status(device, 0);
	set_status(device, 1);
	set_status(device, 3);
	set_status(device, 11);
	ok(status_of(device) == 3,
	   "without VERSION_1 features are not ok, which is no fault");
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	put(VIRTIO_PCI_COMMON_GF, 4, 1);
	set_status(device, 11);
	ok(status_of(device) == 11, "the driver may think again");
	set_status(device, 11 | VIRTIO_CONFIG_S_FAILED);
	ok(status_of(device) == (11 | VIRTIO_CONFIG_S_FAILED),
	   "and it may give up");
}

/* Which steps there are from one status to another. */
static void test_steps(void)
{
	static const uint8_t sound[] = { 0, 1, 3, 11, 15 };
	unsigned int wrong = 0;

	for (unsigned int from = 0; from < ARRAY_SIZE(sound); from++) {
		for (unsigned int to = 1; to < 64; to++) {
			bool good = to == sound[from] ||
				    (from < 4 && to == sound[from + 1]);

			if (from == 0)
				set_status(device, 0);
			else
				start_driver(device, 0, SIZE);
			device->status = sound[from];
			set_status(device, to);
			wrong += needs_reset(device) == good;
			wrong += good && status_of(device) != to;
		}
	}
	ok(!wrong, "one step after the other, and no other steps");
}

static void ready(void) { start_driver(device, 0, SIZE); }
static void driver(void)
{
	set_status(device, 0);
	set_status(device, 1);
	set_status(device, 3);
}
static void negotiated(void) { negotiate(device, 0); }
static void beginning(void) { set_status(device, 0); }

static const struct {
	const char *name;
	void (*before)(void);
	uint32_t reg;
	unsigned int size;
	uint32_t value;
} misuse[] = {
	{ "features before DRIVER", beginning, VIRTIO_PCI_COMMON_GF, 4, 0 },
	{ "features after FEATURES_OK", negotiated, VIRTIO_PCI_COMMON_GF, 4,
	  0 },
	{ "features that are not offered", driver, VIRTIO_PCI_COMMON_GF, 4,
	  1 },
	{ "features in words", driver, VIRTIO_PCI_COMMON_GF, 2, 0 },
	{ "a queue before FEATURES_OK", driver, VIRTIO_PCI_COMMON_Q_SIZE, 2,
	  8 },
	{ "a queue that is enabled", ready, VIRTIO_PCI_COMMON_Q_SIZE, 2, 8 },
	{ "an address of one that is enabled", ready,
	  VIRTIO_PCI_COMMON_Q_DESCLO, 4, DESC },
	{ "a queue switched off", negotiated, VIRTIO_PCI_COMMON_Q_ENABLE, 2,
	  0 },
	{ "a queue enabled by 2", negotiated, VIRTIO_PCI_COMMON_Q_ENABLE, 2,
	  2 },
	{ "status in a long word", ready, VIRTIO_PCI_COMMON_STATUS, 4, 0 },
	{ "status 0 in a word", ready, VIRTIO_PCI_COMMON_STATUS, 2, 0 },
	{ "half a queue's size", negotiated, VIRTIO_PCI_COMMON_Q_SIZE, 1, 8 },
	{ "the middle of an address", negotiated,
	  VIRTIO_PCI_COMMON_Q_DESCLO + 2, 2, 0 },
	{ "device_feature", driver, VIRTIO_PCI_COMMON_DF, 4, 0 },
	{ "num_queues", driver, VIRTIO_PCI_COMMON_NUMQ, 2, 1 },
	{ "config_generation", driver, VIRTIO_PCI_COMMON_CFGGENERATION, 1, 1 },
	{ "queue_notify_off", negotiated, VIRTIO_PCI_COMMON_Q_NOFF, 2, 1 },
	{ "a notification of queue 2", ready, NOTIFY, 2, 2 },
	{ "a notification in a byte", ready, NOTIFY, 1, 0 },
	{ "a notification in a long word", ready, NOTIFY, 4, 0 },
	{ "padding", ready, 59, 1, 0 },
};

static void test_misuse(void)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(misuse); n++) {
		bool tell = misuse[n].before == ready;

		misuse[n].before();
		settle();
		get(ISR, 1);
		memset(lines, 0, sizeof(lines));
		put(misuse[n].reg, misuse[n].size, misuse[n].value);
		ok(needs_reset(device) && lines[device->line] == tell &&
		   get(ISR, 1) == (tell ? VIRTIO_PCI_ISR_CONFIG : 0),
		   "%s: needs a reset", misuse[n].name);
	}
	beginning();
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 9);
	get(VIRTIO_PCI_COMMON_Q_SIZE, 4);
	ok(needs_reset(device), "reading with a wrong width: needs a reset");
	set_status(device, 0);
	ok(status_of(device) == 0 && get(VIRTIO_PCI_COMMON_Q_SELECT, 2) == 0,
	   "which helps");
	negotiate(device, 0);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	put(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
	ok(needs_reset(device), "a queue that is not there: needs a reset");
}

static void echo(unsigned int queue, unsigned int n, uint32_t word)
{
	uint32_t *buffer = at(BUFFERS + queue * QUEUE_STRIDE + 8 * n);

	buffer[0] = word;
	buffer[1] = 0;
	set_desc(&desc(queue)[2 * n], (uint8_t *)buffer - guest.memory, 4,
		 VRING_DESC_F_NEXT, 2 * n + 1);
	set_desc(&desc(queue)[2 * n + 1],
		 (uint8_t *)&buffer[1] - guest.memory, 4, VRING_DESC_F_WRITE,
		 0);
	offer(queue, SIZE, 2 * n);
}

static uint32_t answer(unsigned int queue, unsigned int n)
{
	return *(uint32_t *)at(BUFFERS + queue * QUEUE_STRIDE + 8 * n + 4);
}

static void test_requests(void)
{
	start_driver(device, 0, SIZE);
	settle();
	memset(lines, 0, sizeof(lines));
	memset(served, 0, sizeof(served));
	echo(0, 0, 0xcafe);
	settle();
	ok(!served[0], "nothing is served without a notification");
	notify(device, 0);
	ok(!served[0], "nor in the notification itself");
	settle();
	ok(served[0] == 1 && answer(0, 0) == 0xcafe && lines[device->line] == 1
	   && get(ISR, 1) == 1, "but soon after it, with an interrupt");
	notify(device, 1);
	settle();
	ok(!served[1] && !needs_reset(device), "one in vain is no harm");

	negotiate(device, 0);
	set_up_queue(device, 0, SIZE);
	echo(0, 0, 1);
	notify(device, 0);
	settle();
	ok(served[0] == 1, "nothing is served before DRIVER_OK");
	set_status(device, 15);
	settle();
	ok(served[0] == 2 && answer(0, 0) == 1, "and then what waited");
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 5);
	echo(0, 1, 2);
	notify(device, 0);
	set_status(device, 0);
	settle();
	ok(served[0] == 2 && answer(0, 1) == 0,
	   "a reset between notification and service: nothing is served");
}

static void test_own_registers(void)
{
	uint8_t generation = get(VIRTIO_PCI_COMMON_CFGGENERATION, 1);

	start_driver(device, 0, SIZE);
	settle();
	memset(lines, 0, sizeof(lines));
	get(ISR, 1);
	ok(get(CONFIG, 4) == 0x11111111 && get(CONFIG + 3, 2) == 0x2211 &&
	   get(CONFIG + 7, 1) == 0x22 && get(CONFIG + 7, 2) == 0 &&
	   get(CONFIG + 8, 4) == 0, "its own registers, in all widths");
	put(CONFIG + 4, 2, 0xabcd);
	ok(written == (4 << 24 | 2 << 16 | 0xabcd), "are written by itself");
	written = 0;
	put(CONFIG + 6, 4, 1);
	put(CONFIG + 8, 1, 1);
	ok(!written && !needs_reset(device), "but not what is behind them");
	config_changed(device);
	ok(get(VIRTIO_PCI_COMMON_CFGGENERATION, 1) ==
	   (uint8_t)(generation + 1) && get(ISR, 1) == VIRTIO_PCI_ISR_CONFIG &&
	   lines[device->line] == 1, "a change of them is told");
	set_status(device, 0);
	config_changed(device);
	ok(lines[device->line] == 1 && get(ISR, 1) == 0,
	   "but not to a driver that is not there");
}

/* The vCPU's thread touches registers with the lock held. */
static void locked_notify(unsigned int queue)
{
	pthread_mutex_lock(&machine_lock);
	notify(device, queue);
	pthread_mutex_unlock(&machine_lock);
}

static uint8_t locked_isr(void)
{
	uint8_t isr;

	pthread_mutex_lock(&machine_lock);
	isr = get(ISR, 1);
	pthread_mutex_unlock(&machine_lock);
	return isr;
}

static uint16_t used_index(unsigned int queue)
{
	return __atomic_load_n(&used(queue)->idx, __ATOMIC_ACQUIRE);
}

/*
 * While the I/O thread serves: each answer comes, and for each the line is
 * raised, and whenever it is raised, the ISR says so, once.
 */
static void test_threads(void)
{
	unsigned int reasons = 0, raised = 0, wrong = 0;

	start_driver(device, 0, SIZE);
	settle();
	memset(lines, 0, sizeof(lines));
	get(ISR, 1);
	loop_start();
	for (unsigned int n = 1; n <= ROUNDS; n++) {
		unsigned int queue = n & 1;
		uint16_t before = used_index(queue);

		echo(queue, n % 4, n);
		locked_notify(queue);
		while (used_index(queue) == before)
			sched_yield();
		wrong += answer(queue, n % 4) != n;
		/* The interrupt comes a moment later: look till it does. */
		while (__atomic_load_n(&lines[device->line],
				       __ATOMIC_SEQ_CST) == raised)
			sched_yield();
		raised++;
		while (!locked_isr())
			sched_yield();
		reasons++;
	}
	ok(!wrong && reasons == ROUNDS && !needs_reset(device),
	   "%u requests, answers and interrupts", ROUNDS);
}

/*
 * A driver that makes requests while others are served, up to four at a time,
 * and notifies the device only now and then.
 */
static void test_ahead(void)
{
	unsigned int wrong = 0, spins = 0;

	pthread_mutex_lock(&machine_lock);
	start_driver(device, 0, SIZE);
	pthread_mutex_unlock(&machine_lock);
	for (uint16_t n = 0; n < ROUNDS; n++) {
		while ((uint16_t)(n - used_index(0)) >= 4)
			if (++spins % 1000 == 0)
				locked_notify(0);
		wrong += n >= 4 && answer(0, n % 4) != n - 4U;
		echo(0, n % 4, n);
		if (n % 16 == 0)
			locked_notify(0);
	}
	ok(!wrong, "%u requests, four at a time", ROUNDS);
}

/* And resets, in the midst of requests. */
static void test_resets(void)
{
	unsigned int late = 0;

	for (unsigned int n = 0; n < ROUNDS / 20; n++) {
		uint32_t first;

		pthread_mutex_lock(&machine_lock);
		start_driver(device, 0, SIZE);
		for (unsigned int i = 0; i < 8; i++)
			echo(0, i, i + 1);
		notify(device, 0);
		pthread_mutex_unlock(&machine_lock);
		if (n % 3)
			sched_yield();
		pthread_mutex_lock(&machine_lock);
		set_status(device, 0);
		pthread_mutex_unlock(&machine_lock);
		/* From now on that memory is ours alone. */
		first = used(0)->idx;
		memset(at(BUFFERS), 0x55, 64);
		sched_yield();
		for (unsigned int i = 0; i < 8; i++)
			late += answer(0, i) != 0x55555555;
		late += used(0)->idx != first;
	}
	ok(!late, "%u resets: after them no request is touched", ROUNDS / 20);
}

int main(void)
{
	const struct device model = {
		.name = "test", .id = 63, .nr_queues = 2, .features = FEATURE,
		.serve = serve, .reset = reset, .write_config = write_config,
		.config = registers, .config_size = sizeof(registers),
	};

	start_bus();
	device = add_device(&guest, &model);
	test_negotiation();
	test_old_driver();
	test_steps();
	test_misuse();
	test_requests();
	test_own_registers();
	ok(resets > 0, "the device itself hears of resets");
	test_threads();
	test_ahead();
	test_resets();
	return tap_end();
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Where a virtio device's registers are in its BAR. */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

/* At 0: struct virtio_pci_common_cfg of <linux/virtio_pci.h>, 56 bytes. */
#define NOTIFY	56	/* 2 bytes: the number of a queue */
#define ISR	58	/* 1 byte: why it interrupts; 0 again when it is read */
#define CONFIG	60	/* the device's own */

#endif

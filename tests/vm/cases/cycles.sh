# 100 times load, run, unload: the memory comes back.  One page lost each time
# would be 400 kB.
cycles()
{
	for n in $(seq "$1"); do
		insmod /lguest.ko
		hello
		rmmod lguest
	done
}

rmmod lguest
cycles 20			# what the kernel sets aside once and keeps
same_memory 150 cycles 100
insmod /lguest.ko

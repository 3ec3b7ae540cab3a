# 100,000 hypercalls there and back: the memory comes back.
many()
{
	lguest /tests/guest/registers
}

many
same_memory 120 many

"""The program that the users of this project start from. It stays as it is: it must run unchanged."""
import json
import sys

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

bootstrap, topic = sys.argv[1:]

admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics([NewTopic(name=topic, num_partitions=3, replication_factor=1)])

producer = KafkaProducer(bootstrap_servers=bootstrap, acks='all', value_serializer=lambda v: json.dumps(v).encode('utf-8'))
for i in range(100):
    producer.send(topic, {'number': i, 'text': f'message {i}'})
producer.flush()

consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset='earliest', group_id=f'{topic}-group',
                         value_deserializer=lambda v: json.loads(v.decode('utf-8')), consumer_timeout_ms=10000)
numbers = []
for message in consumer:
    numbers.append(message.value['number'])
    if len(numbers) == 100:
        break
consumer.close()
print(sorted(numbers) == list(range(100)))

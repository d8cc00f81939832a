import * as tanstack from '@tanstack/ai-react';
import { mount } from '../react/chat.jsx';

mount(tanstack);
